/* test_json_scan_portable.c -- all of test_json_scan.c, with the scanner as it is built where
 * there is no SSE2. */
#define PLAIN_PORTABLE
#include "handlers/json_scan.c"
#include "tests/unit/test_json_scan.c"
