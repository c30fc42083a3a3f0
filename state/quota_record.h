/* quota_record.h -- records of one size for the files of the journal, each with its own checksum.
 *
 * Numbers are little-endian, so that a project may move to another machine.  A record that a crash
 * has torn, or a disk has changed, is recognised as none, and the one after it is found again.
 * Pure; any thread. */
#ifndef TANDEM_QUOTA_RECORD_H
#define TANDEM_QUOTA_RECORD_H

#include "state/quota_store.h"

#define QUOTA_RECORD_SIZE 200u /* Bytes. */

enum quota_record_kind {
    RECORD_ADD,  /* In a journal: one add. */
    RECORD_ROW,  /* In a snapshot: a counter; 'more' is what it holds. */
    RECORD_HEAD, /* The first of a snapshot: 'id' is its generation, 'more.used' its rows. */
    RECORD_KIND_COUNT,
};

/* Writes one, with its check sum. */
void quota_record_put(enum quota_record_kind kind, const struct quota_add *add,
                      unsigned char out[QUOTA_RECORD_SIZE]);
/* False if the bytes are no whole record of that kind. */
bool quota_record_get(enum quota_record_kind kind, const unsigned char in[QUOTA_RECORD_SIZE],
                      struct quota_add *add);

#endif
