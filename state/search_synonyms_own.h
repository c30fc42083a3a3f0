/* search_synonyms_own.h -- the words of the trade that come with tandem. */
#ifndef TANDEM_SEARCH_SYNONYMS_OWN_H
#define TANDEM_SEARCH_SYNONYMS_OWN_H

extern const char search_synonyms_own[];
/* Forms of words that the stemmer does not bring together. */
extern const char search_forms_own[];

#endif
