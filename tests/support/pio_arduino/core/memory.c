/* A vendor's core has a C library; this one has what compilers call by themselves. */
#include "../../../../firmware/hal/bare/memory.c"
