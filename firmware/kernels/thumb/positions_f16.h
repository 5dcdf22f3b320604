/* What products of positions take where maps hold halves: rows are converted, eight at a time, wherever they are. */
#ifndef EL_THUMB_POSITIONS_F16_H
#define EL_THUMB_POSITIONS_F16_H

#include "halves.h"

#define EL_ROWS_MOST 8
#define EL_ROWS_TOGETHER(height) EL_ROWS_MOST
#define EL_SCRATCH_BYTES 6144
#define EL_TILE_COST 110
#define EL_ROWS_COST 200
#define EL_PACK_COST 12
#define EL_APART_COST 0

#include "wide.h"

#include "pack_f16.h"

#include "../product/positions.h"

#endif
