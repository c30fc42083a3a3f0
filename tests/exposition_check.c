/* exposition_check.c -- one line after the other, remembering the family that is being read. */
#include "tests/exposition_check.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>

#define NAME_MAX_BYTES 128
#define SERIES_MAX 20000

struct reading {
    char family[NAME_MAX_BYTES], type[16];
    bool has_help, has_type, has_samples;
    char *families[1000]; /* Owned: those that are over, and this one. */
    size_t family_count;
    char **series; /* Owned. */
    size_t series_count;
    char bucket_of[1024]; /* Labels without "le" of the histogram that is being read. */
    double bucket, last_bound, infinite;
    const char *flaw;
};

static bool
is_name(const char *text, size_t len, bool label)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        if (!(isalpha(c) || c == '_' || (!label && c == ':') || (i && isdigit(c)))) {
            return false;
        }
    }
    return len > 0 && len < NAME_MAX_BYTES && !(label && strncmp(text, "__", 2) == 0);
}

static bool
flaw(struct reading *r, const char *text)
{
    r->flaw = text;
    return false;
}

/* "# HELP name text" or "# TYPE name type". */
static bool
read_comment(struct reading *r, const char *line)
{
    bool help = strncmp(line, "# HELP ", 7) == 0;
    const char *name = line + 7, *rest = strchr(name, ' ');
    size_t len = rest ? (size_t)(rest - name) : 0;
    bool same;

    if (!help && strncmp(line, "# TYPE ", 7) != 0) {
        return flaw(r, "a comment that is neither HELP nor TYPE");
    }
    if (!is_name(name, len, false)) {
        return flaw(r, "a family without a good name");
    }
    same = strlen(r->family) == len && strncmp(r->family, name, len) == 0;
    if (!same) {
        for (size_t i = 0; i < r->family_count; i++) {
            if (strlen(r->families[i]) == len && strncmp(r->families[i], name, len) == 0) {
                return flaw(r, "a family comes again");
            }
        }
        snprintf(r->family, sizeof r->family, "%.*s", (int)len, name);
        r->families[r->family_count++] = xstrdup(r->family);
        r->has_help = r->has_type = r->has_samples = false;
    }
    if (r->has_samples || (help ? r->has_help : r->has_type)) {
        return flaw(r, "HELP or TYPE twice, or behind samples");
    }
    if (help) {
        r->has_help = true;
        for (const char *p = rest + 1; *p; p++) {
            if (*p == '\\' && p[1] != '\\' && p[1] != 'n') {
                return flaw(r, "a bad escape in HELP");
            }
            p += *p == '\\';
        }
        return rest[1] || flaw(r, "no help");
    }
    r->has_type = true;
    snprintf(r->type, sizeof r->type, "%s", rest + 1);
    if (strcmp(r->type, "counter") != 0 && strcmp(r->type, "gauge") != 0 &&
        strcmp(r->type, "histogram") != 0) {
        return flaw(r, "a type that is none");
    }
    return (strcmp(r->type, "counter") == 0) == (len > 6 && strncmp(rest - 6, "_total", 6) == 0) ||
           flaw(r, "_total is for counters, and for them alone");
}

/* Reads "{a="b",...}" at '*at' and moves behind it; 'le' is the value of that label, or empty, and
 * 'others' gets the rest as written. */
static bool
read_labels(struct reading *r, const char **at, char le[40], char others[1024])
{
    char names[16][NAME_MAX_BYTES];
    size_t count = 0;
    const char *p = *at + 1;

    while (*p != '}') {
        const char *equals = strchr(p, '='), *begin = p;
        size_t len = equals ? (size_t)(equals - p) : 0;

        if (!is_name(p, len, true) || equals[1] != '"' || count == 16) {
            return flaw(r, "a label without a good name");
        }
        snprintf(names[count], NAME_MAX_BYTES, "%.*s", (int)len, p);
        for (size_t i = 0; i < count; i++) {
            if (strcmp(names[i], names[count]) == 0) {
                return flaw(r, "a label comes twice");
            }
        }
        for (p = equals + 2; *p != '"'; p++) {
            if (!*p || (*p == '\\' && !strchr("\\n\"", p[1]))) {
                return flaw(r, "a label's value does not end, or has a bad escape");
            }
            p += *p == '\\';
        }
        if (strcmp(names[count], "le") == 0) {
            snprintf(le, 40, "%.*s", (int)(p - equals - 2), equals + 2);
        } else {
            size_t used = strlen(others);
            snprintf(others + used, 1024 - used, "%.*s,", (int)(p - begin + 1), begin);
        }
        count++;
        p++;
        if (*p == ',') {
            p++;
        } else if (*p != '}') {
            return flaw(r, "labels are not parted by commas");
        }
    }
    *at = p + 1;
    return true;
}

static bool
read_bucket(struct reading *r, const char *le, const char *others, double value)
{
    double bound = strcmp(le, "+Inf") == 0 ? INFINITY : *le ? strtod(le, NULL) : NAN;

    if (strcmp(r->bucket_of, others) != 0 || r->infinite >= 0) { /* The next histogram. */
        snprintf(r->bucket_of, sizeof r->bucket_of, "%s", others);
        r->bucket = 0;
        r->last_bound = -INFINITY;
        r->infinite = -1;
    }
    if (isnan(bound) || bound <= r->last_bound || value < r->bucket) {
        return flaw(r, "buckets do not rise");
    }
    r->bucket = value;
    r->last_bound = bound;
    r->infinite = isinf(bound) ? value : -1;
    return true;
}

static bool
read_histogram(struct reading *r, const char *suffix, const char *le, const char *others,
               double value)
{
    if (strcmp(suffix, "_bucket") == 0) {
        return read_bucket(r, le, others, value);
    }
    if (*le || strcmp(others, r->bucket_of) != 0 || r->infinite < 0) {
        return flaw(r, "a sum or a count without its buckets");
    }
    if (strcmp(suffix, "_count") == 0) {
        return value == r->infinite || flaw(r, "the count is not that of +Inf");
    }
    return strcmp(suffix, "_sum") == 0 || flaw(r, "a sample of another family");
}

static bool
read_sample(struct reading *r, const char *line)
{
    size_t len = strcspn(line, "{ "), family = strlen(r->family);
    const char *at = line + len;
    char le[40] = "", others[1024] = "", *end;
    double value;

    if (!r->has_help || !r->has_type || len < family || strncmp(line, r->family, family) != 0) {
        return flaw(r, "a sample without its family");
    }
    if (*at == '{' && !read_labels(r, &at, le, others)) {
        return false;
    }
    if (*at != ' ') {
        return flaw(r, "no blank before the value");
    }
    for (size_t i = 0; i < r->series_count; i++) {
        if (strlen(r->series[i]) == (size_t)(at - line) &&
            strncmp(r->series[i], line, (size_t)(at - line)) == 0) {
            return flaw(r, "a series is there twice");
        }
    }
    r->series[r->series_count++] = xstrndup(line, (size_t)(at - line));
    value = strtod(at + 1, &end);
    if (end == at + 1 || *end) {
        return flaw(r, "the value is no number");
    }
    r->has_samples = true;
    if (strcmp(r->type, "histogram") == 0) {
        char suffix[16];

        snprintf(suffix, sizeof suffix, "%.*s", (int)(len - family), line + family);
        return read_histogram(r, suffix, le, others, value);
    }
    if (len != family || *le) {
        return flaw(r, "a sample of another family");
    }
    return strcmp(r->type, "counter") != 0 || value >= 0 || flaw(r, "a counter below 0");
}

bool
exposition_is_good(const char *text, char *why, size_t size)
{
    struct reading r = {.infinite = -1};
    unsigned number = 0;
    bool good = true;

    r.series = xcalloc(SERIES_MAX, sizeof *r.series);
    while (good && *text) {
        size_t len = strcspn(text, "\n");
        char *line = xstrndup(text, len);

        number++;
        if (text[len] != '\n') {
            good = flaw(&r, "the last line has no end");
        } else {
            good = *line == '#' ? read_comment(&r, line) : read_sample(&r, line);
        }
        if (!good) {
            snprintf(why, size, "line %u: %s: %s", number, r.flaw, line);
        }
        text += len + (text[len] == '\n');
        free(line);
    }
    for (size_t i = 0; i < r.series_count; i++) {
        free(r.series[i]);
    }
    for (size_t i = 0; i < r.family_count; i++) {
        free(r.families[i]);
    }
    free(r.series);
    return good;
}

double
exposition_value(const char *text, const char *series)
{
    size_t len = strlen(series);

    for (const char *p = text; p; p = strchr(p, '\n')) {
        p += *p == '\n';
        if (strncmp(p, series, len) == 0 && p[len] == ' ') {
            return strtod(p + len + 1, NULL);
        }
    }
    return -1;
}
