/* ESP-IDF's partitions as calls that leave the program. */
#include "../ports.h"
#include "esp_partition.h"

static uint32_t address(const void *of)
{
    return (uint32_t)(uintptr_t)of;
}

/* What the model says of the table's one entry that programs may have. */
const esp_partition_t *esp_partition_find_first(esp_partition_type_t type, esp_partition_subtype_t subtype,
                                                const char *label)
{
    static esp_partition_t found;
    if (subtype != ESP_PARTITION_SUBTYPE_ANY || ports_ask(PORTS_FIND, (uint32_t)type, address(label), 0) == 0) {
        return NULL;
    }
    found.address = ports_ask(PORTS_FIND, (uint32_t)type, address(label), 1);
    found.size = ports_ask(PORTS_FIND, (uint32_t)type, address(label), 2);
    return &found;
}

esp_err_t esp_partition_read(const esp_partition_t *partition, size_t src_offset, void *dst, size_t size)
{
    return (esp_err_t)ports_ask(PORTS_READ, partition->address + src_offset, size, address(dst));
}

esp_err_t esp_partition_write(const esp_partition_t *partition, size_t dst_offset, const void *src, size_t size)
{
    return (esp_err_t)ports_ask(PORTS_PROGRAM, partition->address + dst_offset, size, address(src));
}

esp_err_t esp_partition_erase_range(const esp_partition_t *partition, size_t offset, size_t size)
{
    return (esp_err_t)ports_ask(PORTS_ERASE, partition->address + offset, size, 0);
}
