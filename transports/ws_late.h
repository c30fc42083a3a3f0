/* ws_late.h -- libwebsockets, which is loaded when the first WebSocket is opened.  Any thread. */
#ifndef TANDEM_WS_LATE_H
#define TANDEM_WS_LATE_H

#include <stdbool.h>

/* True once it can be called.  False if it is not there, or cannot be loaded now. */
bool ws_late_load(void);

#endif
