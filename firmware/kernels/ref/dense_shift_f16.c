/* dense_shift.c for halves. */
#define EL_HALVES
#include "dense_shift.c"
