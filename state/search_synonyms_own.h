/* search_synonyms_own.h -- the synonyms that come with tandem: common words of the trade. */
#ifndef TANDEM_SEARCH_SYNONYMS_OWN_H
#define TANDEM_SEARCH_SYNONYMS_OWN_H

extern const char search_synonyms_own[];

#endif
