/* test_search_spell.c -- words that are written much like another. */
#include "state/search_private.h"
#include "tests/check.h"

struct index {
    sqlite3 *db;
    struct words *words;
    struct spelling_set set;
};

static void
open_index(struct index *x)
{
    struct fault f = FAULT_INIT;

    *x = (struct index){.db = NULL};
    CHECK_INT(sql_open(":memory:", true, &x->db, &f), E_OK);
    CHECK_INT(words_create(x->db, true, &x->words, &f), E_OK);
    CHECK_INT(sql_run(x->db, SEARCH_SCHEMA, &f), E_OK);
}

static void
close_index(struct index *x)
{
    spelling_set_fini(&x->set);
    words_destroy(x->words);
    sql_close(x->db);
}

static bool
note(void *arg, const struct word *word)
{
    struct index *x = arg;
    char text[80];

    spelling_note(&x->set, word);
    sqlite3_snprintf(sizeof text, text, "INSERT OR IGNORE INTO words VALUES(%u, 1, 1)", word->hash);
    CHECK_INT(sql_run(x->db, text, NULL), E_OK);
    return true;
}

/* A list of the words of 'text'. */
static struct spellings *
list_of(struct index *x, const char *text)
{
    struct spellings *list;
    struct fault f = FAULT_INIT;

    CHECK(words_each(x->words, slice_of(text), note, x));
    CHECK_INT(spelling_write(&x->set, x->db, &f), E_OK);
    CHECK_INT(spellings_load(x->db, &list, &f), E_OK);
    return list;
}

static void
near(const struct spellings *list, const char *word, const char *expected)
{
    struct spelling found[SPELL_NEAREST];
    size_t count = spellings_near(list, slice_of(word), found);
    struct buf out = BUF_INIT;

    for (size_t i = 0; i < count; i++) {
        buf_addf(&out, "%s ", found[i].text);
    }
    CHECK_STR(out.data ? out.data : "", expected);
    buf_fini(&out);
}

static void
one_edit_and_two(void **state)
{
    struct index x;
    struct spellings *list;

    (void)state;
    open_index(&x);
    list = list_of(&x, "semaphore Deadlock optimize lock retry connection connections");
    near(list, "smeaphore", "semaphore ");  /* Exchanged. */
    near(list, "semaphre", "semaphore ");   /* Left out. */
    near(list, "semaaphore", "semaphore "); /* One too many. */
    near(list, "semaphire", "semaphore ");  /* Another. */
    near(list, "simaphire", "semaphore ");
    near(list, "SEMAPHOER", "semaphore ");
    near(list, "optimise", "optimize ");
    near(list, "deadlcok", "deadlock ");
    near(list, "simaphier", "");
    near(list, "lokc", "lock ");
    near(list, "kolc", "");
    near(list, "rtry", "retry ");
    near(list, "conection", "connection "); /* Its plural is of the same stem. */
    spellings_free(list);
    close_index(&x);
}

static void
the_nearest_only(void **state)
{
    struct index x;
    struct spellings *list;

    (void)state;
    open_index(&x);
    list = list_of(&x, "testable portable sortable notable mutable");
    near(list, "xortable", "portable sortable ");
    near(list, "mutablee", "mutable "); /* "notable" is further away. */
    near(list, "fortable", "portable sortable ");
    spellings_free(list);
    close_index(&x);
}

static void
words_that_this_is_not_for(void **state)
{
    struct index x;
    struct spellings *list;
    const char *long_word = "pneumonoultramicroscopicsilicovolcanoconiosis";

    (void)state;
    open_index(&x);
    list =
        list_of(&x, "the utf8 sha256 pneumonoultramicroscopicsilicovolcanoconiosis Stra\303\237e");
    near(list, "teh", "");
    near(list, "utf9", "");
    near(list, "sha255", "");
    near(list, long_word, "");
    near(list, "stra\303\237ee", "stra\303\237e ");
    near(list, "", "");
    spellings_free(list);
    close_index(&x);
}

/* What no passage has any more is told no more. */
static void
words_that_are_gone(void **state)
{
    struct index x;
    struct spellings *list;
    struct fault f = FAULT_INIT;

    (void)state;
    open_index(&x);
    list = list_of(&x, "semaphore");
    spellings_free(list);
    CHECK_INT(sql_run(x.db, "DELETE FROM words", &f), E_OK);
    CHECK_INT(spelling_write(&x.set, x.db, &f), E_OK);
    CHECK_INT(spellings_load(x.db, &list, &f), E_OK);
    near(list, "semaphre", "");
    spellings_free(list);
    CHECK_INT(sql_run(x.db, "DROP TABLE spellings", &f), E_OK);
    CHECK_INT(spellings_load(x.db, &list, &f), E_INTERNAL);
    CHECK(list == NULL);
    close_index(&x);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_edit_and_two),
        cmocka_unit_test(the_nearest_only),
        cmocka_unit_test(words_that_this_is_not_for),
        cmocka_unit_test(words_that_are_gone),
    };
    return CHECK_RUN(tests);
}
