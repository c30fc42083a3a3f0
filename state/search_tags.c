/* search_tags.c -- finds tags where authors write them, and phases in headings. */
#include "state/search_tags.h"

#include "state/base/rune.h"
#include "state/yaml.h"

#define KEYWORDS "**Keywords for search**:"
#define HEAD_MAX 4096u /* Where the keywords must begin. */

bool
search_tag(struct slice text, char tag[SEARCH_TAG_BYTES_MAX + 1])
{
    size_t len = 0;
    bool gap = false;

    for (size_t at = 0, n; at < text.len; at += n) {
        uint32_t rune = 0;

        n = rune_decode(text, at, &rune);
        if (n == 0) {
            return false;
        }
        if (!rune_is_alnum(rune) && rune != '+' && rune != '#') {
            gap = len > 0;
            continue;
        }
        if (len + gap + 4 > SEARCH_TAG_BYTES_MAX) {
            return false;
        }
        if (gap) {
            tag[len++] = '-';
            gap = false;
        }
        len += rune_encode(rune_lower(rune), tag + len);
    }
    tag[len] = '\0';
    return len > 0;
}

static void
add_tag(struct tag_list *list, struct slice text)
{
    char tag[SEARCH_TAG_BYTES_MAX + 1];

    if (list->count == SEARCH_TAGS_MAX || !search_tag(text, tag)) {
        return;
    }
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i], tag) == 0) {
            return;
        }
    }
    list->items[list->count++] = xstrdup(tag);
}

/* Adds each part of 'text' between the 'separator's. */
static void
add_parts(struct tag_list *list, struct slice text, char separator)
{
    while (text.len) {
        const char *end = memchr(text.data, separator, text.len);
        size_t len = end ? (size_t)(end - text.data) : text.len;

        add_tag(list, (struct slice){text.data, len});
        len += end != NULL;
        text.data += len;
        text.len -= len;
    }
}

static void
add_front_matter(struct tag_list *list, struct slice text)
{
    const char *end = text.len > 4 && memcmp(text.data, "---\n", 4) == 0
                          ? memmem(text.data + 3, text.len - 3, "\n---", 4)
                          : NULL;
    struct ytree *tree = NULL;
    const struct ynode *tags;

    if (!end || ytree_parse((struct slice){text.data + 4, (size_t)(end + 1 - text.data - 4)}, NULL,
                            &tree, NULL) != E_OK) {
        return;
    }
    tags = ynode_get(ytree_root(tree), "tags");
    if (ynode_kind(tags) == YNODE_STRING) {
        add_parts(list, ynode_text(tags), ',');
    }
    for (size_t i = 0; i < ynode_count(tags); i++) {
        add_tag(list, ynode_text(ynode_at(tags, i)));
    }
    ytree_free(tree);
}

static void
add_keywords(struct tag_list *list, struct slice text)
{
    const char *at =
        memmem(text.data, text.len < HEAD_MAX ? text.len : HEAD_MAX, KEYWORDS, sizeof KEYWORDS - 1);

    if (at && (at == text.data || at[-1] == '\n')) {
        size_t left = text.len - (size_t)(at - text.data);
        const char *end = memchr(at, '\n', left);

        at += sizeof KEYWORDS - 1;
        left -= sizeof KEYWORDS - 1;
        add_parts(list, (struct slice){at, end ? (size_t)(end - at) : left}, ',');
    }
}

void
search_document_tags(struct tag_list *list, const char *path, struct slice text)
{
    const char *file = strrchr(path, '/');

    if (file) {
        add_parts(list, (struct slice){path, (size_t)(file - path)}, '/');
    }
    add_front_matter(list, text);
    if (text.len) {
        add_keywords(list, text);
    }
}

void
search_tags_fini(struct tag_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i]);
    }
    list->count = 0;
}

/* The number after the word "phase" in 'text', or -1. */
static int
phase_in(const char *text)
{
    static const char word[] = "phase";

    for (const char *at = text; *at; at++) {
        const char *digit = at + sizeof word - 1;
        int number = 0;

        if (strncasecmp(at, word, sizeof word - 1) != 0 ||
            (at > text && rune_is_alnum((unsigned char)at[-1]))) {
            continue;
        }
        digit += strspn(digit, " ");
        if (digit == at + sizeof word - 1 || *digit < '0' || *digit > '9') {
            continue;
        }
        while (*digit >= '0' && *digit <= '9' && number < 100000) {
            number = number * 10 + (*digit++ - '0');
        }
        return number;
    }
    return -1;
}

int
search_phase(const struct chunk *chunk)
{
    int phase = phase_in(chunk->path);

    return phase >= 0 ? phase : phase_in(chunk->more);
}
