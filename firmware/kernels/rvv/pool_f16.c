/* Max pools, in halves, whose gradients are summed in floats. */
#include "f16.h"

#include "pool.h"
