/* Max pools, in 32-bit floats. */
#include "f32.h"

#include "pool.h"
