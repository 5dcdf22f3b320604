/* hard.c for halves. */
#define EL_HALVES
#include "hard.c"
