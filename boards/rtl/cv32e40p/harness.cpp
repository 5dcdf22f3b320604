// A board around the core: flash, RAM, and a door to the host.
//
//     simulator --flash ORIGIN,SIZE --ram ORIGIN,SIZE [--ram ...] --door ADDRESS IMAGE.elf
//
// Memory answers in the next cycle, for instructions and for data, with no waiting. The door is three words:
//     +0 operation, +4 address of its arguments (writing it carries the operation out), +8 the result.
// Operations, arguments and results are those of semihosting (open, read, write and exit), so that firmware for an
// emulator runs unchanged; a byte that waits for the host costs no cycle. Exit codes: the program's own; 3 and a line
// on stderr for an access where nothing is; 2 if the simulator can't start.
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <elf.h>
#include <fstream>
#include <iterator>
#include <string>
#include <unistd.h>
#include <vector>

#include "Vcv32e40p_top.h"
#include "verilated.h"

namespace
{

enum { FAULT = 3, CANT_START = 2 };
enum Operation : uint32_t { OPEN = 0x01, WRITE = 0x05, READ = 0x06, EXIT_EXTENDED = 0x20 };
enum { RESET_CYCLES = 4 };

[[noreturn]] void fail(int code, const std::string &text)
{
    std::fprintf(stderr, "%s\n", text.c_str());
    std::_Exit(code);
}

std::string hex(uint32_t value)
{
    char text[11];
    std::snprintf(text, sizeof text, "0x%08x", static_cast<unsigned>(value));
    return text;
}

struct Memory {
    uint32_t origin;
    bool writable;
    std::vector<uint32_t> words;

    Memory(uint32_t at, uint32_t size, bool ram) : origin(at), writable(ram), words(size / 4)
    {
    }

    bool holds(uint32_t address) const
    {
        return (address - origin) / 4 < words.size();
    }
    uint32_t &word(uint32_t address)
    {
        return words[(address - origin) / 4];
    }
};

class Board
{
  public:
    void add(const Memory &memory)
    {
        memories_.push_back(memory);
    }
    void set_door(uint32_t address)
    {
        door_ = address;
    }

    uint32_t load_elf(const char *path)
    {
        std::ifstream file(path, std::ios::binary);
        const std::vector<char> bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
        Elf32_Ehdr head;
        if (bytes.size() < sizeof head || std::memcmp(bytes.data(), ELFMAG, SELFMAG) != 0) {
            fail(CANT_START, std::string(path) + " is not an ELF file");
        }
        std::memcpy(&head, bytes.data(), sizeof head);
        for (unsigned i = 0; i < head.e_phnum; i++) {
            Elf32_Phdr part;
            const size_t at = head.e_phoff + i * size_t{head.e_phentsize};
            if (at + sizeof part > bytes.size()) {
                fail(CANT_START, std::string(path) + " is cut short");
            }
            std::memcpy(&part, bytes.data() + at, sizeof part);
            if (part.p_type != PT_LOAD || part.p_filesz == 0) {
                continue;
            }
            if (size_t{part.p_offset} + part.p_filesz > bytes.size()) {
                fail(CANT_START, std::string(path) + " is cut short");
            }
            put(part.p_paddr, reinterpret_cast<const uint8_t *>(bytes.data()) + part.p_offset, part.p_filesz);
        }
        return head.e_entry;
    }

    // The core fetches ahead of itself, so that a fetch from nowhere is no fault until it is executed.
    uint32_t fetch(uint32_t address)
    {
        Memory *memory = find(address);
        return memory != nullptr ? memory->word(address) : 0;
    }

    uint32_t load(uint32_t address)
    {
        if (address - door_ < 12) {
            return address - door_ == 8 ? result_ : 0;
        }
        return at(address, "a read from ")->word(address);
    }

    void store(uint32_t address, uint32_t value, unsigned lanes)
    {
        if (address - door_ < 12) {
            if (address - door_ == 0) {
                operation_ = value;
            } else if (address - door_ == 4) {
                operate(value);
            }
            return;
        }
        Memory *memory = at(address, "a write to ");
        if (!memory->writable) {
            fail(FAULT, "a write to flash at " + hex(address));
        }
        uint32_t mask = 0;
        for (unsigned lane = 0; lane < 4; lane++) {
            mask |= (lanes >> lane & 1u) != 0 ? 0xffu << (8 * lane) : 0;
        }
        uint32_t &word = memory->word(address);
        word = (word & ~mask) | (value & mask);
    }

  private:
    std::vector<Memory> memories_;
    uint32_t door_ = 0;
    uint32_t operation_ = 0;
    uint32_t result_ = 0;
    std::vector<uint8_t> buffer_;

    Memory *find(uint32_t address)
    {
        for (Memory &memory : memories_) {
            if (memory.holds(address)) {
                return &memory;
            }
        }
        return nullptr;
    }

    Memory *at(uint32_t address, const char *what)
    {
        Memory *memory = find(address);
        if (memory == nullptr) {
            fail(FAULT, what + hex(address) + ", where nothing is");
        }
        return memory;
    }

    uint8_t get_byte(uint32_t address)
    {
        return static_cast<uint8_t>(at(address, "the host read ")->word(address) >> (8 * (address & 3)));
    }

    void put(uint32_t address, const uint8_t *from, size_t count)
    {
        for (size_t i = 0; i < count; i++, address++) {
            const unsigned shift = 8 * (address & 3);
            uint32_t &word = at(address, "the host wrote to ")->word(address);
            word = (word & ~(0xffu << shift)) | static_cast<uint32_t>(from[i]) << shift;
        }
    }

    // Semihosting: an operation's arguments are words in memory, what it answers is a word.
    void operate(uint32_t block)
    {
        const auto argument = [&](uint32_t index) {
            return at(block + 4 * index, "the host read ")->word(block + 4 * index);
        };
        switch (operation_) {
        case OPEN: // the console is all there is: a handle for each direction
            result_ = argument(1) < 4 ? STDIN_FILENO : STDOUT_FILENO;
            break;
        case READ:
            result_ = argument(2) - receive(argument(1), argument(2));
            break;
        case WRITE:
            result_ = argument(2) - send(argument(1), argument(2));
            break;
        case EXIT_EXTENDED:
            std::_Exit(static_cast<int>(argument(1) & 0xff));
        default:
            fail(FAULT, "the door knows no operation " + hex(operation_));
        }
    }

    uint32_t receive(uint32_t to, uint32_t count)
    {
        buffer_.resize(count);
        ssize_t got;
        do {
            got = read(STDIN_FILENO, buffer_.data(), count);
        } while (got < 0 && errno == EINTR);
        if (got > 0) {
            put(to, buffer_.data(), static_cast<size_t>(got));
        }
        return got > 0 ? static_cast<uint32_t>(got) : 0;
    }

    uint32_t send(uint32_t from, uint32_t count)
    {
        buffer_.resize(count);
        for (uint32_t i = 0; i < count; i++) {
            buffer_[i] = get_byte(from + i);
        }
        uint32_t sent = 0;
        while (sent < count) {
            const ssize_t done = write(STDOUT_FILENO, buffer_.data() + sent, count - sent);
            if (done < 0 && errno != EINTR) {
                break;
            }
            sent += done > 0 ? static_cast<uint32_t>(done) : 0;
        }
        return sent;
    }
};

Memory region(const char *text, bool ram)
{
    char *end = nullptr;
    const uint32_t origin = static_cast<uint32_t>(std::strtoul(text, &end, 0));
    const uint32_t size = *end == ',' ? static_cast<uint32_t>(std::strtoul(end + 1, &end, 0)) : 0;
    if (*end != '\0' || size == 0 || origin % 4 != 0 || size % 4 != 0) {
        fail(CANT_START, std::string("not a memory: ") + text);
    }
    return Memory(origin, size, ram);
}

[[noreturn]] void run(Board &board, uint32_t entry)
{
    VerilatedContext context;
    Vcv32e40p_top core(&context);
    core.pulp_clock_en_i = 1;
    core.boot_addr_i = entry;
    core.instr_gnt_i = 1;
    core.data_gnt_i = 1;
    core.fetch_enable_i = 1;
    for (uint64_t cycle = 0;; cycle++) {
        core.rst_ni = cycle >= RESET_CYCLES;
        core.clk_i = 0;
        core.eval();
        const bool fetches = core.rst_ni != 0 && core.instr_req_o != 0;
        const bool accesses = core.rst_ni != 0 && core.data_req_o != 0;
        const uint32_t instruction = fetches ? board.fetch(core.instr_addr_o) : 0;
        uint32_t data = 0;
        if (accesses && core.data_we_o != 0) {
            board.store(core.data_addr_o & ~3u, core.data_wdata_o, core.data_be_o);
        } else if (accesses) {
            data = board.load(core.data_addr_o & ~3u);
        }
        core.clk_i = 1;
        core.eval();
        core.instr_rvalid_i = fetches;
        core.instr_rdata_i = instruction;
        core.data_rvalid_i = accesses;
        core.data_rdata_i = data;
    }
}

} // namespace

int main(int argc, char **argv)
{
    Board board;
    int at = 1;
    for (; at + 2 < argc && argv[at][0] == '-'; at += 2) {
        const std::string option = argv[at];
        if (option == "--flash" || option == "--ram") {
            board.add(region(argv[at + 1], option == "--ram"));
        } else if (option == "--door") {
            board.set_door(static_cast<uint32_t>(std::strtoul(argv[at + 1], nullptr, 0)));
        } else {
            fail(CANT_START, "there is no option " + option);
        }
    }
    if (at + 1 != argc) {
        fail(CANT_START, "usage: simulator --flash ORIGIN,SIZE --ram ORIGIN,SIZE --door ADDRESS IMAGE.elf");
    }
    run(board, board.load_elf(argv[at]));
}
