/* layout.c for halves. */
#define EL_HALVES
#include "layout.c"
