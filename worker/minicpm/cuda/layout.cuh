// How the work is shared out, and what lies where: in global memory, and in a block's.
#pragma once

typedef unsigned short bf16;  // its bits
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long i64;

constexpr int WARPS = 12;  // that compute
constexpr int THREADS = 32 * WARPS;
constexpr int FETCHERS = 2;  // warps: one for weights, one for their scales and zeros
// Slots that are asked for and not there yet: with more, all else would queue behind them.
constexpr int UNDER_WAY = 3;
constexpr int GROUP = 128;  // inputs that share a scale and a zero point
constexpr int TILE = 16;    // outputs that a warp multiplies at once
constexpr int TILE_BYTES = TILE * GROUP / 2, SHARED_BYTES = TILE * 4;  // of one group
constexpr int SLOT_BYTES = (WARPS * (TILE_BYTES + SHARED_BYTES) + 127) / 128 * 128;
constexpr int D = 128;                     // numbers of a head
constexpr int QUERIES = HEADS / KV_HEADS;  // heads that share a kv head
constexpr int QKV = (HEADS + 2 * KV_HEADS) * D;
constexpr int MIXED = HEADS * D;
constexpr int TURNS_AT_ONCE = 2;                    // that a warp multiplies
constexpr int POSITIONS = 3;                        // that a warp attends to at once
constexpr int PIECES = BLOCKS / (KV_HEADS * ROWS);  // most that share a row's kv head, a block each
static_assert(PIECES >= 1, "too many rows for so few multiprocessors");
constexpr float LOG2_E = 1.4426950408889634f;
#define NOTHING __int_as_float(0xFF800000)  // minus infinity

__host__ __device__ constexpr int most(int a, int b) { return a > b ? a : b; }
constexpr int WIDEST = most(most(HIDDEN, MIXED), FFN);
constexpr int LINE = WIDEST + 64;  // bytes from one line of inputs to the next; 64 spread the banks

// A matrix product: SEGMENTS × OUTPUTS outputs of INPUTS inputs. The tiles at the same place of
// each segment belong to one block.
template <int SEGMENTS_, int OUTPUTS_, int INPUTS_>
struct Product {
    static constexpr int SEGMENTS = SEGMENTS_, OUTPUTS = OUTPUTS_, INPUTS = INPUTS_;
    static constexpr int GROUPS = INPUTS / GROUP;
    // Tiles of a block and segment, at most.
    static constexpr int TILES = (OUTPUTS / TILE + BLOCKS - 1) / BLOCKS;
    static constexpr int UNITS = SEGMENTS * TILES;  // warps that one group keeps busy
    static_assert(UNITS <= WARPS, "too many outputs for so few multiprocessors");
    static constexpr int PARTS = WARPS / UNITS < GROUPS ? WARPS / UNITS : GROUPS;
    static constexpr int TURNS = (GROUPS + PARTS - 1) / PARTS;  // slots that go by

    static __device__ int first_tile(int block) { return OUTPUTS / TILE * block / BLOCKS; }
    static __device__ int tiles(int block) { return first_tile(block + 1) - first_tile(block); }
    static __device__ int first_group(int part) { return part * GROUPS / PARTS; }
};
typedef Product<1, QKV, HIDDEN> QkvProduct;
typedef Product<1, HIDDEN, MIXED> OutProduct;
typedef Product<2, FFN, HIDDEN> GateUpProduct;
typedef Product<1, HIDDEN, FFN> DownProduct;

// A layer's tensors, as megakernel.py lists them.
struct Layer {
    const char *qkv_tiles, *qkv_shared, *o_tiles, *o_shared;
    const char *gate_up_tiles, *gate_up_shared, *down_tiles, *down_shared;
    const bf16 *norm, *post_norm, *q_norm, *k_norm;
};

// What the blocks hand to each other.
struct Exchange {
    bf16 qkv[ROWS][QKV];
    bf16 mixed[ROWS][MIXED];
    bf16 attended[ROWS][HIDDEN];  // what attention adds to the stream
    bf16 gated[ROWS][FFN];
    bf16 update[ROWS][HIDDEN];                       // what the layer's end adds to it
    u64 mixes[ROWS][KV_HEADS][PIECES][QUERIES * D];  // a float each, below the time of its writing
    u64 tops[ROWS][KV_HEADS][PIECES][QUERIES], totals[ROWS][KV_HEADS][PIECES][QUERIES];
    u32 ready;  // how often a block has been
    u32 time;   // what `ready` was when the launch before ended
};

// A group of inputs, which are whole numbers.
struct Group {
    float scale;  // what one stands for
    int sum;
};

// A block's share of the positions of one row, for the queries of one kv head.
struct Piece {
    int row, kv_head, index, count;  // this one of so many; none where count is 0
    int length;      // positions of the row in the cache; the new one comes behind them
    int start, end;  // its positions, the new one's among them
    i64 head;        // where the kv head's positions begin in the cache

    __device__ bool is_last() const { return index == count - 1; }
};

// What a block keeps in shared memory.
struct Desk {
    // The inputs of the product at hand: high bytes and low bytes of each row, in `put`'s order.
    alignas(16) signed char inputs[ROWS][2][LINE];
    Group groups[ROWS][WIDEST / GROUP];
    bf16 stream[ROWS][HIDDEN];  // the residual stream; every block keeps it
    float sums[WARPS][ROWS][TILE];
    float query[QUERIES][D];
    float new_key[D], new_value[D];
    float tops[WARPS][QUERIES], totals[WARPS][QUERIES];
    float squares[ROWS][WARPS];
    Piece piece;
};
constexpr int SLOTS = (MEMORY - (int)sizeof(Desk) - 128) / (SLOT_BYTES + 16);
static_assert(SLOTS >= 4, "too little shared memory");

struct Shared {
    char slots[SLOTS][SLOT_BYTES];
    u64 full[SLOTS], empty[SLOTS];
    alignas(16) Desk desk;
};
static_assert(sizeof(Shared) <= MEMORY, "the slots leave room for the desk");
