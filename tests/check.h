/* check.h -- what every test program includes: cmocka, and a few words on top of it.
 *
 * A test program has a table of tests and ends in "return CHECK_RUN(tests);".  Threads of a test
 * count into atomics and the main thread asserts afterwards: cmocka's assertions are for the main
 * thread only. */
#ifndef TANDEM_TESTS_CHECK_H
#define TANDEM_TESTS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define CHECK(CONDITION) assert_true(CONDITION)
#define CHECK_INT(A, B) assert_int_equal(A, B)
#define CHECK_STR(A, B) assert_string_equal(A, B)
#define CHECK_RUN(TESTS) cmocka_run_group_tests(TESTS, NULL, NULL)

#endif
