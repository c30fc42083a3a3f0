/* era.h -- all that differs between legacy and modern MCP; nobody else asks the revision.
 *
 * The era is decided for each message by itself (MCP 2026-07-28, "Versioning"): modern _meta keys,
 * a version header that is not a legacy one, or server/discover make it modern; all else is legacy,
 * where "initialize" has agreed on a revision. */
#ifndef TANDEM_ERA_H
#define TANDEM_ERA_H

#include "handlers/request.h"

/* "2025-11-25" for a revision. */
const char *era_revision_text(enum revision revision);
/* The revision that 'text' names, or REVISION_NONE. */
enum revision era_revision(struct slice text);
/* False also for REVISION_NONE. */
bool era_is_legacy(enum revision revision);
/* The newest legacy revision: what initialize answers when asked for one that is not served. */
#define ERA_NEWEST_LEGACY REVISION_2025_11_25

/* Decides era and revision of a parsed message, and for legacy finds its MCP session; checks what
 * must be checked before the method is known: the version header, the modern _meta keys.  Errors in
 * req->fault. */
enum err era_decide(struct request *req);
/* The same for what is no message: the legacy session that the headers of an HTTP GET name. */
enum err era_decide_bare(struct request *req);
/* Checks what may be checked once the method's row is known: Mcp-Method, what a legacy client may
 * ask before initialize. */
enum err era_check_method(struct request *req);
/* Undoes "=?base64?...?=" of a header's value into 'out'; other values are literal.  False if it is
 * broken. */
bool era_header_decode(struct slice value, struct buf *out);
/* Whether a header's value, encoded or literal, says 'want'. */
bool era_header_is(struct slice header, struct slice want);
/* Checks that the Mcp-Name header says 'name' (modern HTTP only). */
enum err era_check_name(struct request *req, struct slice name);

/* True if the peer's revision knows what came with 'since'. */
static inline bool
era_knows(const struct request *req, enum revision since)
{
    return req->revision >= since;
}

/* Adds the members that let a modern client keep a result: nothing for legacy.  'shared' if it is
 * the same for every principal. */
void era_add_cache(struct request *req, unsigned ttl_ms, bool shared);

/* Writes the response up to where the members of the result go, replacing what 'out' held; and what
 * comes after them. */
void era_begin_result(struct request *req);
void era_end_result(struct request *req);
/* Adds {"code":...,"message":...,"data":...} of req->fault. */
void era_add_error(struct buf *out, const struct request *req);
/* Writes the whole response for a request that failed, from req->fault, replacing what 'out' held;
 * returns the HTTP status. */
int era_write_error(struct request *req);

/* Adds {"name":...,"version":...}, as far as 'revision' knows it; 'whole', where a client asks who
 * answers: with what shows it to a person. */
void era_add_server_info(struct buf *out, enum revision revision, bool whole);
/* The revisions served, newest first, as a JSON array; 'modern_only' for the refusal of a legacy
 * one. */
void era_add_supported(struct buf *out, bool modern_only);

#endif
