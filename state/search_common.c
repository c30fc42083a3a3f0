/* search_common.c -- pronouns, articles, prepositions, auxiliaries, and what questions begin with.
 */
#include "state/search_common.h"

#define LONGEST 10

static const char *const words[] = {
    "a",         "about",    "after",      "again",   "all",        "also",      "always",
    "am",        "an",       "and",        "any",     "anybody",    "anyone",    "anything",
    "are",       "aren",     "as",         "at",      "be",         "because",   "been",
    "before",    "being",    "best",       "between", "both",       "but",       "by",
    "can",       "cannot",   "could",      "couldn",  "d",          "did",       "didn",
    "do",        "does",     "doesn",      "doing",   "don",        "done",      "during",
    "each",      "either",   "else",       "etc",     "even",       "ever",      "every",
    "everybody", "everyone", "everything", "few",     "for",        "from",      "get",
    "gets",      "getting",  "give",       "given",   "go",         "goes",      "going",
    "good",      "got",      "had",        "has",     "hasn",       "have",      "haven",
    "having",    "he",       "her",        "here",    "hers",       "him",       "his",
    "how",       "i",        "if",         "in",      "instead",    "into",      "is",
    "isn",       "it",       "its",        "itself",  "just",       "know",      "let",
    "like",      "ll",       "m",          "made",    "make",       "makes",     "making",
    "many",      "may",      "maybe",      "me",      "might",      "mine",      "more",
    "most",      "much",     "must",       "my",      "myself",     "need",      "needed",
    "needs",     "neither",  "no",         "nobody",  "none",       "nor",       "not",
    "nothing",   "of",       "off",        "often",   "on",         "once",      "only",
    "or",        "other",    "others",     "ought",   "our",        "ours",      "out",
    "over",      "own",      "per",        "please",  "really",     "s",         "same",
    "say",       "says",     "shall",      "she",     "should",     "shouldn",   "show",
    "so",        "some",     "somebody",   "someone", "something",  "sometimes", "still",
    "such",      "sure",     "t",          "take",    "tell",       "than",      "that",
    "the",       "their",    "theirs",     "them",    "themselves", "then",      "there",
    "these",     "they",     "thing",      "things",  "this",       "those",     "though",
    "through",   "thus",     "to",         "too",     "under",      "until",     "up",
    "upon",      "us",       "use",        "used",    "uses",       "using",     "ve",
    "very",      "want",     "wants",      "was",     "way",        "we",        "well",
    "were",      "what",     "whatever",   "when",    "whenever",   "where",     "whether",
    "which",     "while",    "who",        "whom",    "whose",      "why",       "will",
    "with",      "within",   "without",    "won",     "would",      "wouldn",    "yes",
    "yet",       "you",      "your",       "yours",   "yourself",
};

static int
compare(const void *a, const void *b)
{
    return strcmp(a, *(const char *const *)b);
}

bool
search_is_common(struct slice word)
{
    char text[LONGEST + 1];

    if (word.len > LONGEST) {
        return false;
    }
    for (size_t i = 0; i < word.len; i++) {
        char c = word.data[i];

        text[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    text[word.len] = '\0';
    return bsearch(text, words, sizeof words / sizeof words[0], sizeof words[0], compare) != NULL;
}
