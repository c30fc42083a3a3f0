/* settings.c -- the rows as data; values from text and back. */
#include "state/settings.h"

#include "state/base/nearest.h"

#include <assert.h>
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <strings.h>

static const struct setting_row rows[SETTING_COUNT] = {
#define ROW(MEMBER, KEY, TYPE, WHERE, INITIAL, LEAST, MOST, HELP) \
    [SETTING_##MEMBER] = {.key = KEY,                             \
                          .initial = INITIAL,                     \
                          .least = LEAST,                         \
                          .most = MOST,                           \
                          .help = HELP,                           \
                          .type = SETTING_##TYPE,                 \
                          .where = SETTING_##WHERE,               \
                          .offset = offsetof(struct settings, MEMBER)},
    SETTINGS(ROW)
#undef ROW
};

struct scale {
    const char *suffix;
    uint64_t factor;
};
/* Largest first: showing a value takes the first that divides it. */
static const struct scale duration_scales[] = {
    {"h", 3600000000000u}, {"m", 60000000000u}, {"s", 1000000000u}, {"ms", 1000000u},
    {"us", 1000u},         {"ns", 1u},          {NULL, 0}};
static const struct scale byte_scales[] = {{"GiB", 1u << 30}, {"MiB", 1u << 20}, {"KiB", 1u << 10},
                                           {"", 1u},          {"B", 1u},         {NULL, 0}};
static const struct scale no_scale[] = {{"", 1u}, {NULL, 0}};

const struct setting_row *
setting_row(enum setting setting)
{
    assert((unsigned)setting < SETTING_COUNT);
    return &rows[setting];
}

const char *
setting_origin_name(enum setting_origin origin)
{
    static const char *const names[] = {"default", "file", "environment", "option", "run_time"};
    return names[origin];
}

const char *
setting_takes(enum setting setting)
{
    static const char *const words[] = {"TEXT",  "LIST", "N",      "DURATION",
                                        "BYTES", "BOOL", "NUMBER", [SETTING_SECRET] = "SECRET"};
    const struct setting_row *row = setting_row(setting);
    return row->least[0] && !row->most[0] ? row->least : words[row->type];
}

static bool
is_joint(char c)
{
    return c == '.' || c == '-' || c == '_';
}

static bool
name_matches(const char *key, struct slice name)
{
    if (strlen(key) != name.len) {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        bool same = is_joint(key[i]) ? is_joint(name.data[i])
                                     : key[i] == tolower((unsigned char)name.data[i]);
        if (!same) {
            return false;
        }
    }
    return true;
}

int
setting_find(struct slice name)
{
    for (int i = 0; i < SETTING_COUNT; i++) {
        if (name_matches(rows[i].key, name)) {
            return i;
        }
    }
    return -1;
}

int
setting_nearest(struct slice name)
{
    const char *keys[SETTING_COUNT];

    for (int i = 0; i < SETTING_COUNT; i++) {
        keys[i] = rows[i].key;
    }
    return text_nearest(name, keys, SETTING_COUNT);
}

void
setting_option_name(enum setting setting, char out[SETTING_NAME_SIZE])
{
    snprintf(out, SETTING_NAME_SIZE, "%s", setting_row(setting)->key);
    for (char *p = out; *p; p++) {
        *p = is_joint(*p) ? '-' : *p;
    }
}

void
setting_variable_name(enum setting setting, char out[SETTING_NAME_SIZE])
{
    snprintf(out, SETTING_NAME_SIZE, "TANDEM_%s", setting_row(setting)->key);
    for (char *p = out; *p; p++) {
        *p = is_joint(*p) ? '_' : (char)toupper((unsigned char)*p);
    }
}

static const struct scale *
scales_of(enum setting_type type)
{
    return type == SETTING_DURATION ? duration_scales
           : type == SETTING_BYTES  ? byte_scales
                                    : no_scale;
}

/* Reads digits and a suffix of the type's; a blank between them is allowed.  A bare 0 needs no
 * suffix. */
static bool
parse_number(enum setting_type type, const char *text, uint64_t *value)
{
    const char *p = text;
    uint64_t n = 0;

    for (; *p >= '0' && *p <= '9'; p++) {
        if (__builtin_mul_overflow(n, 10u, &n) ||
            __builtin_add_overflow(n, (uint64_t)(*p - '0'), &n)) {
            return false;
        }
    }
    if (p == text) {
        return false;
    }
    if (*p == ' ' && p[1]) {
        p++;
    }
    for (const struct scale *s = scales_of(type); s->suffix; s++) {
        if (strcasecmp(p, s->suffix) == 0) {
            return !__builtin_mul_overflow(n, s->factor, value) && *value <= INT64_MAX;
        }
    }
    *value = 0;
    return n == 0 && !*p;
}

static enum err
set_number(void *member, const struct setting_row *row, const char *text, struct fault *f)
{
    uint64_t value, least = 0, most = 0;

    if (!parse_number(row->type, text, &value)) {
        static const char *const wanted[] = {[SETTING_UINT] = "a whole number",
                                             [SETTING_DURATION] = "a time such as 500ms, 10s, 30m",
                                             [SETTING_BYTES] = "a size such as 512, 16KiB, 1MiB"};
        return fault_set(f, E_ARGUMENT, "%s: \"%.40s\" is not %s", row->key, text,
                         wanted[row->type]);
    }
    parse_number(row->type, row->least, &least);
    parse_number(row->type, row->most, &most);
    if (value < least || value > most) {
        return fault_set(f, E_ARGUMENT, "%s: %.40s is not within %s to %s", row->key, text,
                         row->least, row->most);
    }
    switch (row->type) {
    case SETTING_UINT:
        *(unsigned *)member = (unsigned)value;
        break;
    case SETTING_DURATION:
        *(int64_t *)member = (int64_t)value;
        break;
    default:
        *(size_t *)member = (size_t)value;
    }
    return E_OK;
}

/* Reads a decimal number, all of 'text'. */
static bool
parse_real(const char *text, double *value)
{
    char *end;

    *value = strtod(text, &end);
    return end != text && !*end && isfinite(*value) && strspn(text, "0123456789.-") == strlen(text);
}

static enum err
set_real(double *member, const struct setting_row *row, const char *text, struct fault *f)
{
    double value, least = 0, most = 0;

    if (!parse_real(text, &value)) {
        return fault_set(f, E_ARGUMENT, "%s: \"%.40s\" is not a number such as 0.3", row->key,
                         text);
    }
    parse_real(row->least, &least);
    parse_real(row->most, &most);
    if (value < least || value > most) {
        return fault_set(f, E_ARGUMENT, "%s: %.40s is not within %s to %s", row->key, text,
                         row->least, row->most);
    }
    *member = value;
    return E_OK;
}

static enum err
set_bool(bool *member, const struct setting_row *row, const char *text, struct fault *f)
{
    static const char *const words[] = {"true", "yes", "on", "1", "false", "no", "off", "0"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcasecmp(text, words[i]) == 0) {
            *member = i < 4;
            return E_OK;
        }
    }
    return fault_set(f, E_ARGUMENT, "%s: \"%.40s\" is neither true nor false", row->key, text);
}

/* Finds the 'index'th word of "a|b|c". */
static struct slice
choice_word(const char *words, unsigned index)
{
    while (words) {
        size_t len = strcspn(words, "|");
        if (index-- == 0) {
            return (struct slice){words, len};
        }
        words = words[len] ? words + len + 1 : NULL;
    }
    return SLICE_NONE;
}

static enum err
set_choice(unsigned *member, const struct setting_row *row, const char *text, struct fault *f)
{
    struct slice word;

    for (unsigned i = 0; (word = choice_word(row->least, i)).data; i++) {
        if (slice_is(word, text)) {
            *member = i;
            return E_OK;
        }
    }
    return fault_set(f, E_ARGUMENT, "%s: \"%.40s\" is not one of %s", row->key, text, row->least);
}

static void
set_text(struct settings *s, enum setting setting, char *text)
{
    free(s->texts[setting]);
    s->texts[setting] = text;
    *(const char **)((char *)s + rows[setting].offset) = text;
}

enum err
settings_set(struct settings *s, enum setting setting, const char *text, enum setting_origin origin,
             struct fault *f)
{
    const struct setting_row *row = setting_row(setting);
    void *member = (char *)s + row->offset;
    enum err err = E_OK;

    switch (row->type) {
    case SETTING_STRING:
    case SETTING_LIST:
    case SETTING_SECRET:
        set_text(s, setting, xstrdup(text));
        break;
    case SETTING_UINT:
    case SETTING_DURATION:
    case SETTING_BYTES:
        err = set_number(member, row, text, f);
        break;
    case SETTING_BOOL:
        err = set_bool(member, row, text, f);
        break;
    case SETTING_REAL:
        err = set_real(member, row, text, f);
        break;
    case SETTING_CHOICE:
        err = set_choice(member, row, text, f);
        break;
    }
    if (!err) {
        s->origins[setting] = (unsigned char)origin;
        s->lines[setting] = 0;
    }
    return err;
}

static const size_t sizes[] = {
    [SETTING_UINT] = sizeof(unsigned), [SETTING_DURATION] = sizeof(int64_t),
    [SETTING_BYTES] = sizeof(size_t),  [SETTING_BOOL] = sizeof(bool),
    [SETTING_REAL] = sizeof(double),   [SETTING_CHOICE] = sizeof(unsigned),
};

static bool
is_text(enum setting_type type)
{
    return type == SETTING_STRING || type == SETTING_LIST || type == SETTING_SECRET;
}

void
settings_adopt(struct settings *s, const struct settings *from, enum setting setting)
{
    const struct setting_row *row = setting_row(setting);

    if (is_text(row->type)) {
        set_text(s, setting, xstrdup(from->texts[setting]));
    } else {
        memcpy((char *)s + row->offset, (const char *)from + row->offset, sizes[row->type]);
    }
    s->origins[setting] = from->origins[setting];
    s->lines[setting] = from->lines[setting];
}

bool
settings_same(const struct settings *a, const struct settings *b, enum setting setting)
{
    const struct setting_row *row = setting_row(setting);

    return is_text(row->type) ? strcmp(a->texts[setting], b->texts[setting]) == 0
                              : memcmp((const char *)a + row->offset, (const char *)b + row->offset,
                                       sizes[row->type]) == 0;
}

struct settings *
settings_copy(const struct settings *from)
{
    struct settings *s = xcalloc(1, sizeof *s);

    atomic_init(&s->refs, 1);
    s->version = from->version;
    s->loaded_ns = from->loaded_ns;
    s->file = from->file ? xstrdup(from->file) : NULL;
    for (int i = 0; i < SETTING_COUNT; i++) {
        settings_adopt(s, from, (enum setting)i);
    }
    return s;
}

struct settings *
settings_create(void)
{
    struct settings *s = xcalloc(1, sizeof *s);

    atomic_init(&s->refs, 1);
    s->version = 1;
    for (int i = 0; i < SETTING_COUNT; i++) {
        enum err err = settings_set(s, (enum setting)i, rows[i].initial, ORIGIN_DEFAULT, NULL);
        assert(!err);
        (void)err;
    }
    return s;
}

struct settings *
settings_ref(struct settings *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void
settings_unref(struct settings *s)
{
    if (s && atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) == 1) {
        for (int i = 0; i < SETTING_COUNT; i++) {
            if (s->texts[i] && rows[i].type == SETTING_SECRET) {
                explicit_bzero(s->texts[i], strlen(s->texts[i]));
            }
            free(s->texts[i]);
        }
        free(s->file);
        free(s);
    }
}

static void
show_number(enum setting_type type, uint64_t value, struct buf *out)
{
    const struct scale *s = scales_of(type);

    while (s[1].suffix && (value == 0 ? s->factor != (type == SETTING_DURATION ? 1000000000u : 1u)
                                      : value % s->factor != 0)) {
        s++;
    }
    buf_addf(out, "%llu%s", (unsigned long long)(value / s->factor), s->suffix);
}

void
settings_show(const struct settings *s, enum setting setting, struct buf *out)
{
    const struct setting_row *row = setting_row(setting);
    const void *member = (const char *)s + row->offset;

    switch (row->type) {
    case SETTING_STRING:
    case SETTING_LIST:
        buf_adds(out, *(const char *const *)member);
        break;
    case SETTING_UINT:
        show_number(row->type, *(const unsigned *)member, out);
        break;
    case SETTING_DURATION:
        show_number(row->type, (uint64_t) * (const int64_t *)member, out);
        break;
    case SETTING_BYTES:
        show_number(row->type, *(const size_t *)member, out);
        break;
    case SETTING_BOOL:
        buf_adds(out, *(const bool *)member ? "true" : "false");
        break;
    case SETTING_REAL:
        buf_addf(out, "%g", *(const double *)member);
        break;
    case SETTING_CHOICE:
        buf_add_slice(out, choice_word(row->least, *(const unsigned *)member));
        break;
    case SETTING_SECRET:
        buf_adds(out, **(const char *const *)member ? "(secret)" : "");
        break;
    }
}

void
settings_show_origin(const struct settings *s, enum setting setting, struct buf *out)
{
    char name[SETTING_NAME_SIZE];

    switch ((enum setting_origin)s->origins[setting]) {
    case ORIGIN_DEFAULT:
        buf_adds(out, "default");
        break;
    case ORIGIN_FILE:
        buf_addf(out, "%s:%u", s->file ? s->file : "file", s->lines[setting]);
        break;
    case ORIGIN_ENVIRONMENT:
        setting_variable_name(setting, name);
        buf_adds(out, name);
        break;
    case ORIGIN_OPTION:
        setting_option_name(setting, name);
        buf_addf(out, "--%s", name);
        break;
    case ORIGIN_RUN_TIME:
        buf_adds(out, "set at run time");
        break;
    }
}

bool
settings_next_item(const char **list, struct slice *item)
{
    const char *p = *list + strspn(*list, ", \t");

    *item = (struct slice){p, strcspn(p, ",")};
    *list = p + item->len;
    while (item->len && (p[item->len - 1] == ' ' || p[item->len - 1] == '\t')) {
        item->len--;
    }
    return item->len > 0;
}
