/* test_project.c -- which folder is the project, and where its data is. */
#include "server/project.h"

#include "tests/check.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char top[64];

static int
make_top(void **unused)
{
    (void)unused;
    strcpy(top, "/tmp/tandem-project-XXXXXX");
    return mkdtemp(top) ? 0 : -1;
}

static int
remove_top(void **unused)
{
    char command[100];

    (void)unused;
    snprintf(command, sizeof command, "rm -rf '%s'", top);
    return system(command);
}

static const char *
at(const char *relative)
{
    static char paths[4][256];
    static unsigned turn;
    char *path = paths[turn++ % 4];

    snprintf(path, sizeof paths[0], "%s%s%s", top, *relative ? "/" : "", relative);
    return path;
}

static void
folder(const char *relative)
{
    struct dir *dir;

    CHECK_INT(dir_open(at(relative), true, &dir, NULL), E_OK);
    dir_unref(dir);
}

/* Finds from 'from' and checks root and data folder, both relative to the top. */
static void
finds(const char *from, const char *home, const char *root, const char *data_name)
{
    struct project p;
    struct fault f = FAULT_INIT;

    CHECK_INT(project_find(NULL, at(from), home ? at(home) : NULL, &p, &f), E_OK);
    CHECK_STR(p.root, at(root));
    CHECK_STR(p.data_name, data_name);
    project_fini(&p);
}

static void
the_nearest_folder_upward_is_the_root(void **unused)
{
    (void)unused;
    folder("home/a/.tandem");
    folder("home/a/b/c/d");
    folder("home/a/p/.praxis-os");
    folder("home/a/p/x");
    folder("home/both/.praxis-os");
    folder("home/both/.tandem");
    finds("home/a/b/c/d", "home", "home/a", ".tandem");
    finds("home/a", "home", "home/a", ".tandem");
    finds("home/a/p/x", "home", "home/a/p", ".praxis-os");
    finds("home/both", "home", "home/both", ".tandem");
}

static void
the_search_stops_at_home(void **unused)
{
    (void)unused;
    folder(".tandem"); /* Above home: not to be seen. */
    folder("home/q/r");
    finds("home/q/r", "home", "home/q/r", ".tandem");
    finds("home/q/r", NULL, "", ".tandem");
    finds("home/q/r", "other", "", ".tandem"); /* A home that is not on the way. */
    folder("home/.tandem");                    /* Home itself is looked at. */
    finds("home/q/r", "home", "home", ".tandem");
}

static void
a_file_or_a_strangers_folder_is_no_sign(void **unused)
{
    int fd;

    (void)unused;
    folder("home/f/g");
    fd = open(at("home/f/.tandem"), O_WRONLY | O_CREAT, 0600);
    CHECK(fd >= 0);
    close(fd);
    finds("home/f/g", "home/f", "home/f/g", ".tandem");
    if (geteuid() == 0) { /* Only root can give a folder away. */
        folder("home/s/.tandem");
        folder("home/s/t");
        CHECK_INT(chown(at("home/s/.tandem"), 12345, 12345), 0);
        finds("home/s/t", "home/s", "home/s/t", ".tandem");
    }
}

static void
a_given_root_is_taken(void **unused)
{
    struct project p;
    struct fault f = FAULT_INIT;

    (void)unused;
    folder("home/a/.tandem");
    folder("given/sub");
    CHECK_INT(symlink(at("given/sub"), at("link")), 0);
    CHECK_INT(project_find(at("link"), at("home/a"), NULL, &p, &f), E_OK);
    CHECK_STR(p.root, at("given/sub"));
    CHECK_STR(p.name, "sub");
    project_fini(&p);
    CHECK_INT(project_find(at("missing"), at("home/a"), NULL, &p, &f), E_NOT_FOUND);
    CHECK(strstr(f.remedy, "--root"));
    CHECK(!p.root);
    CHECK_INT(project_find("/dev/null", at("home/a"), NULL, &p, &f), E_IO);
    CHECK_INT(project_find("/", at("home/a"), NULL, &p, &f), E_OK);
    CHECK_STR(p.name, "root");
    project_fini(&p);
}

static void
the_data_folder_is_made_once(void **unused)
{
    struct project p;
    struct fault f = FAULT_INIT;
    struct buf b = BUF_INIT;
    static const char *const left[] = {".token.0123456789abcdef.tmp",
                                       "tenants/.acme.json.0123456789abcdef.tmp",
                                       "learnings/acme/.qa.jsonl.0123456789abcdef.tmp"};
    struct dir_list list;
    struct dir *folder_made;
    struct stat st;
    char *path;

    (void)unused;
    folder("fresh");
    CHECK_INT(project_find(at("fresh"), "/", NULL, &p, &f), E_OK);
    CHECK_INT(project_open_data(&p, false, &f), E_NOT_FOUND);
    CHECK(!p.data);
    CHECK_INT(project_open_data(&p, true, &f), E_OK);
    CHECK_INT(project_open_data(&p, true, &f), E_OK);
    CHECK_INT(dir_list(p.data, ".", 10, &list, &f), E_OK);
    CHECK_INT(list.count, 0);
    dir_list_fini(&list);
    CHECK_INT(project_tidy_data(&p, &f), E_OK);
    CHECK_INT(stat(at("fresh/.tandem"), &st), 0);
    CHECK_INT(st.st_mode & 0777, 0700);
    CHECK_INT(dir_read(p.data, ".gitignore", 4096, &b, NULL, &f), E_OK);
    CHECK(strstr(b.data, "\n/token\n") && strstr(b.data, "\n/server.json\n"));
    path = project_data_path(&p, "config.json");
    CHECK_STR(path, at("fresh/.tandem/config.json"));
    free(path);
    CHECK_INT(dir_write(p.data, ".gitignore", SLICE("mine"), &f), E_OK);
    project_fini(&p);

    CHECK_INT(project_find(at("fresh"), "/", NULL, &p, &f), E_OK);
    CHECK_INT(project_open_data(&p, true, &f), E_OK);
    CHECK_INT(dir_sub(p.data, "tenants", true, &folder_made, &f), E_OK);
    dir_unref(folder_made);
    CHECK_INT(dir_sub(p.data, "learnings/acme", true, &folder_made, &f), E_OK);
    dir_unref(folder_made);
    for (size_t i = 0; i < sizeof left / sizeof *left; i++) {
        close(dir_open_at(p.data, left[i], O_WRONLY | O_CREAT, 0600));
        CHECK(dir_is_file(p.data, left[i]));
    }
    CHECK_INT(project_tidy_data(&p, &f), E_OK);
    for (size_t i = 0; i < sizeof left / sizeof *left; i++) {
        CHECK(!dir_is_file(p.data, left[i]));
    }
    buf_reset(&b);
    CHECK_INT(dir_read(p.data, ".gitignore", 4096, &b, NULL, &f), E_OK);
    CHECK_STR(b.data, "mine");
    buf_fini(&b);
    project_fini(&p);
}

int
main(void)
{
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, make_top, remove_top)
    const struct CMUnitTest tests[] = {
        TEST(the_nearest_folder_upward_is_the_root),
        TEST(the_search_stops_at_home),
        TEST(a_file_or_a_strangers_folder_is_no_sign),
        TEST(a_given_root_is_taken),
        TEST(the_data_folder_is_made_once),
    };
    umask(077);
    return CHECK_RUN(tests);
}
