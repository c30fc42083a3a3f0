/* version.h -- the one place that says which release this is, and under which name it speaks. */
#ifndef TANDEM_VERSION_H
#define TANDEM_VERSION_H

#define TANDEM_NAME "tandem"
#define TANDEM_VERSION "0.1.0"

#endif
