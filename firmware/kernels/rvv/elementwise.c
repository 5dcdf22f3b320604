/* Sums of maps, copies, frozen norms and averages in 32-bit floats. */
#include "f32.h"

#include "elementwise.h"
