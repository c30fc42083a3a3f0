/* test_manager.c -- who manages a server: what is said of which signs, and where they come from. */
#include "tests/check.h"

#include "server/manager.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static void
told(const struct manager_signs *signs, const char *want)
{
    char text[MANAGER_TEXT_SIZE];

    manager_tell(signs, text);
    CHECK_STR(text, want);
}

static void
the_one_who_ends_it_is_named(void **unused)
{
    struct manager_signs signs = {.terminal = true, .tty = "pts/3"};

    (void)unused;
    told(&(struct manager_signs){.client = false}, "nobody");
    told(&signs, "terminal (pts/3)");
    signs.client = true;
    told(&signs, "client");
    strcpy(signs.parent, "code");
    told(&signs, "client (code)");
    signs.notified = true;
    told(&signs, "service manager");
    signs.first = true;
    told(&signs, "container");
    strcpy(signs.container, "podman");
    told(&signs, "container (podman)");
    signs.service = true;
    told(&signs, "systemd");
    strcpy(signs.unit, "tandem@home-ann-work.service");
    told(&signs, "systemd (tandem@home-ann-work.service)");
}

static void
unit_is(const char *groups, const char *want)
{
    char unit[40];

    manager_unit(groups, unit, sizeof unit);
    CHECK_STR(unit, want);
}

static void
a_unit_is_read_from_the_control_groups(void **unused)
{
    (void)unused;
    unit_is("", "");
    unit_is("0::/\n", "");
    unit_is("0::/system.slice/tandem.service\n", "tandem.service");
    unit_is("0::/user.slice/user-1000.slice/user@1000.service/app.slice/tandem@p.service\n",
            "tandem@p.service");
    unit_is("0::/user.slice/user-1000.slice/session-2.scope", "");
    unit_is("12:pids:/init.scope\n1:name=systemd:/system.slice/a.service\n", "a.service");
    unit_is("0::/.service\n", "");
    unit_is("0::/a-name-that-is-longer-than-there-is-room-for.service\n", "");
}

static void
systemd_means_this_very_process(void **unused)
{
    struct manager_signs signs = {.client = true};
    char pid[24];

    (void)unused;
    setenv("SYSTEMD_EXEC_PID", "1", 1); /* Of a shell, say, whose environment it is. */
    manager_look(&signs);
    CHECK(!signs.service);
    snprintf(pid, sizeof pid, "%ld", (long)getpid());
    setenv("SYSTEMD_EXEC_PID", pid, 1);
    manager_look(&signs);
    CHECK(signs.service);
    unsetenv("SYSTEMD_EXEC_PID");
}

static void
a_client_is_the_process_that_began_it(void **unused)
{
    struct manager_signs signs = {.client = true};
    char path[48], name[24] = "";
    FILE *file;

    (void)unused;
    snprintf(path, sizeof path, "/proc/%ld/comm", (long)getppid());
    file = fopen(path, "r");
    assert_non_null(file);
    CHECK(fgets(name, sizeof name, file) != NULL);
    fclose(file);
    name[strcspn(name, "\n")] = '\0';
    manager_look(&signs);
    if (signs.first) { /* This test is itself the first of a container. */
        CHECK_STR(signs.parent, "");
    } else {
        CHECK_STR(signs.parent, name);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_one_who_ends_it_is_named),
        cmocka_unit_test(a_unit_is_read_from_the_control_groups),
        cmocka_unit_test(systemd_means_this_very_process),
        cmocka_unit_test(a_client_is_the_process_that_began_it),
    };
    return CHECK_RUN(tests);
}
