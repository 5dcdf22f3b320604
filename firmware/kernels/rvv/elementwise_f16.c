/* Sums of maps, copies, frozen norms and averages in halves. */
#include "f16.h"

#include "elementwise.h"
