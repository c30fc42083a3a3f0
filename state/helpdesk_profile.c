/* helpdesk_profile.c -- the table of profiles, and the words that tell which one fits. */
#include "state/helpdesk_profile.h"

#include <assert.h>

#define QUESTION_MAX 2048u /* Bytes that are looked at. */

static const struct helpdesk_profile_row rows[PROFILE_COUNT] = {
#define ROW(NAME, TOP, FETCH, LAMBDA, MMR) {#NAME, TOP, FETCH, LAMBDA, MMR},
    HELPDESK_PROFILES(ROW)
#undef ROW
};

/* What tells a kind: whole words, in this order.  What is more certain stands before what is less:
 * "how much" asks for a price, though "how" asks for a way. */
static const struct {
    enum helpdesk_profile profile;
    const char *phrases; /* Between bars. */
} signs[] = {
    {PROFILE_comparison, "compare|comparison|compared|versus|vs|difference|differences|differ|"
                         "better than|which is better|pros and cons|rather than"},
    {PROFILE_pricing, "price|prices|priced|pricing|cost|costs|how much|fee|fees|charge|charged|"
                      "charges|tariff|rate|rates|cheap|cheaper|cheapest|expensive|discount|"
                      "discounts|quote|invoice|subscription|per month|per year|per person"},
    {PROFILE_process, "process|procedure|policy|policies|workflow|approval|approve|approved|"
                      "what happens|escalate|escalation|who is responsible|turnaround|"
                      "how long does|how long will|stages"},
    {PROFILE_how_to, "how do i|how do we|how do you|how to|how can i|how can we|how can|"
                     "how should|how would i|steps to|step by step|instructions|guide|tutorial|"
                     "set up|configure|install|reset|enable|disable"},
    {PROFILE_place, "where|location|located|locations|address|directions|near|nearest|nearby|"
                    "city|country|region|office|branch|destination"},
    {PROFILE_listing, "list|lists|show me|show all|all the|all of|what are the|which are|"
                      "options|types of|kinds of|available|examples|every|catalogue|catalog"},
};

const struct helpdesk_profile_row *
helpdesk_profile_row(enum helpdesk_profile profile)
{
    assert((unsigned)profile < PROFILE_COUNT);
    return &rows[profile];
}

enum helpdesk_profile
helpdesk_profile_find(const char *name)
{
    for (int i = 0; i < PROFILE_COUNT; i++) {
        if (strcmp(rows[i].name, name) == 0) {
            return (enum helpdesk_profile)i;
        }
    }
    return PROFILE_NONE;
}

/* Writes the words in lower case with one blank before, between and after them. */
static void
write_words(struct slice text, char out[QUESTION_MAX + 3])
{
    size_t len = 0;

    out[len++] = ' ';
    for (size_t i = 0; i < text.len && len < QUESTION_MAX; i++) {
        unsigned char c = (unsigned char)text.data[i];
        unsigned char lower = c >= 'A' && c <= 'Z' ? c + 32 : c;

        if ((lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c >= 0x80) {
            out[len++] = (char)lower;
        } else if (c != '\'' && out[len - 1] != ' ') { /* "what's" is one word. */
            out[len++] = ' ';
        }
    }
    if (out[len - 1] != ' ') {
        out[len++] = ' ';
    }
    out[len] = '\0';
}

static bool
has_phrase(const char *words, const char *phrases)
{
    while (*phrases) {
        size_t len = strcspn(phrases, "|");
        char phrase[64] = " ";

        assert(len < sizeof phrase - 2);
        memcpy(phrase + 1, phrases, len);
        phrase[len + 1] = ' ';
        phrase[len + 2] = '\0';
        if (strstr(words, phrase)) {
            return true;
        }
        phrases += len + (phrases[len] == '|');
    }
    return false;
}

enum helpdesk_profile
helpdesk_classify(struct slice question)
{
    char words[QUESTION_MAX + 3];

    write_words(question, words);
    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++) {
        if (has_phrase(words, signs[i].phrases)) {
            return signs[i].profile;
        }
    }
    return PROFILE_general;
}

void
helpdesk_search_init(struct helpdesk_search *search, enum helpdesk_profile profile, bool context,
                     bool mmr)
{
    *search = (struct helpdesk_search){.top_k = context ? 8 : 5,
                                       .fetch_k = context ? 15 : 20,
                                       .lambda = 0.7,
                                       .mmr = mmr,
                                       .context = context};
    if (profile != PROFILE_NONE) {
        const struct helpdesk_profile_row *row = helpdesk_profile_row(profile);

        search->top_k = row->top_k;
        search->fetch_k = row->fetch_k;
        search->lambda = row->lambda;
        search->mmr = row->mmr;
    }
}
