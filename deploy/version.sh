#!/bin/sh
# version.sh: the version of tandem, from the one place that says it.
sed -n 's/^#define TANDEM_VERSION "\(.*\)"$/\1/p' "$(dirname "$0")/../state/version.h"
