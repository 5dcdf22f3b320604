/* pool.c for halves. */
#define EL_HALVES
#include "pool.c"
