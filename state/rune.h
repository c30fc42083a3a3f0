/* rune.h -- stands in base since it is needed there. */
#ifndef TANDEM_STATE_RUNE_H
#define TANDEM_STATE_RUNE_H

#include "state/base/rune.h"

#endif
