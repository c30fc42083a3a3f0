/* crypto.h -- libcrypto, which is loaded when it is first called.  Any thread. */
#ifndef TANDEM_CRYPTO_H
#define TANDEM_CRYPTO_H

#include <stdbool.h>

/* Loads it now.  False if it is not there, or cannot be loaded now; whoever calls it is told by
 * each call. */
bool crypto_prepare(void);

#endif
