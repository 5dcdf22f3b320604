/* A partition of ESP-IDF's table as flash to save in. Its driver takes care of caches and the other core. */
#include "esp_partition.h"

#include "el/flash.h"

#include "board.h"

enum { TYPE = 0x40 }; /* the first of those that are left to programs */

/* NULL where the chip was loaded with another table. */
static const esp_partition_t *store(void)
{
    const esp_partition_t *const found =
        esp_partition_find_first((esp_partition_type_t)TYPE, ESP_PARTITION_SUBTYPE_ANY, "edgelearn");
    return found != NULL && found->address == EL_STORE_ORIGIN && found->size == EL_STORE_PAGE * EL_STORE_PAGES ? found
                                                                                                               : NULL;
}

int el_flash_erase(uint32_t page)
{
    const esp_partition_t *const part = store();
    return part != NULL && esp_partition_erase_range(part, page * EL_STORE_PAGE, EL_STORE_PAGE) == ESP_OK;
}

int el_flash_program(uint32_t at, const void *from, uint32_t count)
{
    const esp_partition_t *const part = store();
    return part != NULL && esp_partition_write(part, at, from, count) == ESP_OK;
}

/* What can't be read reads as erased, which is no save. */
void el_flash_read(uint32_t at, void *to, uint32_t count)
{
    const esp_partition_t *const part = store();
    uint8_t *const bytes = to;
    if (part == NULL || esp_partition_read(part, at, to, count) != ESP_OK) {
        for (uint32_t i = 0; i < count; i++) {
            bytes[i] = EL_STORE_ERASED;
        }
    }
}
