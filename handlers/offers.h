/* offers.h -- what resources, prompts and completions share: pages, URIs, their common checks.
 *
 * A listing is sorted by key and told a page at a time.  The cursor names the key of the last entry
 * of a page, so it needs no memory here and stays good while files come and go.  The functions on a
 * listing and on text are pure; any thread. */
#ifndef TANDEM_OFFERS_H
#define TANDEM_OFFERS_H

#include "handlers/tool.h"

#include <jansson.h>

#define OFFERS_PAGE 100u     /* Entries of a page, and values of a completion. */
#define OFFERS_URI_MAX 4096u /* Bytes of a URI. */
/* How long a list of files may be kept by who is not told of changes. */
#define OFFERS_TTL_MS 5000u

struct offer {
    char *key;     /* Owned; unique. */
    json_t *value; /* Owned; may be null. */
};
struct offers {
    struct offer *all;
    size_t count, room;
};

/* Copies 'key'; steals 'value'. */
void offers_add(struct offers *o, const char *key, json_t *value);
void offers_fini(struct offers *o);
/* By key, bytewise. */
void offers_sort(struct offers *o);
/* Sorts 'o' and adds the page that the request's cursor asks for to the result as 'member', with
 * nextCursor if there is more.  E_PARAMS for a cursor that this list cannot have given. */
enum err offers_write_page(struct request *req, const char *member, struct offers *o);
/* The same in two steps, for values that are made for one page only.  The first sorts 'o' and
 * stores which entries, from '*first' up to '*end', the page has, at most 'page'; the second adds
 * those of them that have a value. */
enum err offers_find_page(struct request *req, struct offers *o, size_t page, size_t *first,
                          size_t *end);
void offers_write(struct request *req, const char *member, const struct offers *o, size_t first,
                  size_t end);
/* Refuses a cursor where all fits one page. */
enum err offers_no_cursor(struct request *req);

/* Undoes uri_add_path() for what may stand in the path of a URI.  False for anything else: a stray
 * '%', NUL, characters that a URI must encode.  An encoded '/' is one too, as templates expand to
 * it. */
bool offers_decode_path(struct slice text, struct buf *out);

/* Appends params.uri, which must be a string, and not empty. */
enum err offers_read_uri(const struct request *req, struct buf *uri, struct fault *f);
/* Tells 'uri' in the error's data. */
void offers_tell_uri(struct request *req, struct slice uri);

/* True if the fixtures of the official conformance suite are to be offered. */
bool offers_fixtures(const struct request *req);

/* For the listing methods: they run on a worker, and count as calls. */
enum err offers_prepare(struct request *req, enum runs *runs);

/* The fixtures, in offers_conformance.c: used only where offers_fixtures(). */
void fixtures_add_resources(struct offers *o);
/* Adds to an array. */
void fixtures_add_templates(json_t *templates);
/* The content of a fixture, new, or null if 'uri' is none. */
json_t *fixtures_read(const char *uri);
void fixtures_add_prompts(const struct request *req, struct offers *o);
/* Makes one prompt come, or go. */
void fixtures_change_prompts(struct request *req);
/* True if there is such a prompt.  Then '*missing' names an argument that 'args' (may be null)
 * lacks, or '*err' is E_OK and '*result' is new, {description, messages}, or '*err' is in
 * req->fault. */
bool fixtures_prompt(struct request *req, const char *name, const json_t *args, json_t **result,
                     const char **missing, enum err *err);
/* Adds what 'variable' of a fixture may be: of a prompt if 'prompt', else of a template.  False if
 * there is no such fixture or variable. */
bool fixtures_complete(const struct request *req, bool prompt, const char *name,
                       const char *variable, struct offers *values);

#endif
