// One token more in each of ROWS windows: all layers of the decoder in one launch, AWQ weights.
//
// A step for few rows reads every weight once and computes next to nothing. As ten kernels a layer
// it spends more time on beginnings and ends than on reading. Here each multiprocessor has one
// block for the whole step. Two of its warps do nothing but fetch the block's share of the
// weights, layer after layer, into a ring of slots in shared memory: they need nothing that the step
// computes, so they go on while the others wait for each other. The others multiply what has
// come.
//
// After each part of a layer a block counts itself ready, and waits until all have: what they wrote
// before, it can read.
//
// A product's inputs are taken as whole numbers of 16 bits, by the greatest of each group of 128: a
// hundred times as exact as bfloat16, in which they come. As two bytes each they go through the
// tensor cores beside weights of 4 bits that only have to be masked; sums are exact.
//
// Outputs are shared out in tiles of 16. A tile's sum over the groups is shared by PARTS warps of
// one block, a run of groups each, and added up in their order: nothing else enters a sum, so a row
// has the same bits on every run.
//
// Compiled by megakernel.py, which defines ROWS, BLOCKS (the multiprocessors), MEMORY (shared, in
// bytes), HIDDEN, FFN, HEADS and KV_HEADS.

typedef unsigned short bf16;  // its bits
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long i64;

constexpr int WARPS = 12;  // that compute
constexpr int THREADS = 32 * WARPS;
constexpr int FETCHERS = 2;  // warps: one for weights, one for their scales and zeros
constexpr int UNDER_WAY = 2;  // slots that are asked for and not there yet; with more, all else would queue behind them
constexpr int GROUP = 128;  // inputs that share a scale and a zero point
constexpr int TILE = 16;  // outputs that a warp multiplies at once
constexpr int TILE_BYTES = TILE * GROUP / 2, SHARED_BYTES = TILE * 4;  // of one group
constexpr int TOGETHER = 2;  // groups of a tile in a slot: a warp multiplies them side by side
constexpr int SCALES_AT = WARPS * TOGETHER * TILE_BYTES;  // in a slot
constexpr int SLOT_BYTES = SCALES_AT + WARPS * TOGETHER * SHARED_BYTES;
static_assert(SLOT_BYTES % 128 == 0, "slots are aligned");
constexpr int D = 128;  // numbers of a head
constexpr int QUERIES = HEADS / KV_HEADS;  // heads that share a kv head
constexpr int QKV = (HEADS + 2 * KV_HEADS) * D;
constexpr int MIXED = HEADS * D;
constexpr int POSITIONS = 3;  // that a warp attends to at once
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
    static constexpr int TILES = (OUTPUTS / TILE + BLOCKS - 1) / BLOCKS;  // of a block and segment, at most
    static constexpr int UNITS = SEGMENTS * TILES;  // warps that one group keeps busy
    static_assert(UNITS <= WARPS, "too many outputs for so few multiprocessors");
    static constexpr int PARTS = WARPS / UNITS < GROUPS ? WARPS / UNITS : GROUPS;
    static constexpr int TURNS = ((GROUPS + PARTS - 1) / PARTS + TOGETHER - 1) / TOGETHER;  // slots that go by

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
    bf16 update[ROWS][HIDDEN];  // what the layer's end adds to it
    u64 mixes[ROWS][KV_HEADS][PIECES][QUERIES * D];  // a float each, below the time of its writing
    u64 tops[ROWS][KV_HEADS][PIECES][QUERIES], totals[ROWS][KV_HEADS][PIECES][QUERIES];
    u32 ready;  // how often a block has been
    u32 time;  // what `ready` was when the launch before ended
};

struct Group {
    float scale;
    int sum;
};

// A block's share of the positions of one row, for the queries of one kv head.
struct Piece {
    int row, kv_head, index, count;  // this one of so many; none where count is 0
    int length;  // positions of the row in the cache; the new one comes behind them
    int start, end;  // its positions, the new one's among them
    i64 head;  // where the kv head's positions begin in the cache

    __device__ bool is_last() const { return index == count - 1; }
};

// What a block keeps in shared memory.
struct Desk {
    // The inputs of the product at hand: high bytes and low bytes of each row, in the order of `put`,
    // and of each group what one stands for, and their sum.
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
static_assert(SLOTS >= 3, "too little shared memory");

struct Shared {
    char slots[SLOTS][SLOT_BYTES];
    u64 full[SLOTS], empty[SLOTS];
    alignas(16) Desk desk;
};
static_assert(sizeof(Shared) <= MEMORY, "the slots leave room for the desk");

// ---- Bits ----

__device__ __forceinline__ float to_float(bf16 bits) { return __uint_as_float((u32)bits << 16); }

__device__ __forceinline__ bf16 to_bf16(float value) {
    bf16 bits;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(value));
    return bits;
}

__device__ __forceinline__ float rounded(float value) { return to_float(to_bf16(value)); }

// Two numbers of a word, as a pair.
__device__ __forceinline__ float2 split(u32 pair) {
    return make_float2(__uint_as_float(pair << 16), __uint_as_float(pair & 0xFFFF0000u));
}

__device__ __forceinline__ u32 pair_of(float first, float second) {
    u32 pair;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(second), "f"(first));
    return pair;
}

__device__ __forceinline__ u32 sum_of_pairs(u32 one, u32 two) {
    const float2 a = split(one), b = split(two);
    return pair_of(a.x + b.x, a.y + b.y);
}

__device__ __forceinline__ float exp2_fast(float value) {
    float result;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(value));
    return result;
}

__device__ __forceinline__ float sum_of_warp(float value) {
#pragma unroll
    for (int step = 16; step; step /= 2) value += __shfl_xor_sync(~0u, value, step);
    return value;
}

// ---- Waiting within a block ----

__device__ __forceinline__ u32 address(const void *shared) {
    return (u32)__cvta_generic_to_shared(shared);
}

__device__ __forceinline__ void init(u64 &barrier, int count) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(address(&barrier)), "r"(count));
}

__device__ __forceinline__ void arrive(u64 &barrier) {
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(address(&barrier)) : "memory");
}

__device__ __forceinline__ void expect(u64 &barrier, u32 bytes) {
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(address(&barrier)),
                 "r"(bytes)
                 : "memory");
}

__device__ __forceinline__ void await(u64 &barrier, u32 parity) {
    u32 done = 0;
    while (!done)
        asm volatile(
            "{.reg .pred p;\n"
            "mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\n"
            "selp.u32 %0, 1, 0, p;}"
            : "=r"(done)
            : "r"(address(&barrier)), "r"(parity)
            : "memory");
}

// All computing warps of the block; the fetching one takes no part.
__device__ __forceinline__ void together() {
    asm volatile("bar.sync 1, %0;" ::"n"(THREADS) : "memory");
}

// A place in the ring, for those who fill and those who empty it.
struct Turn {
    int slot;
    u32 parity;
    __device__ void next() {
        if (++slot == SLOTS) slot = 0, parity ^= 1;
    }
};

// ---- Between blocks ----

// A few numbers for a few blocks go faster with their time in the same word: no flag is needed.
__device__ __forceinline__ void give(u64 &word, float number, u32 time) {
    const u64 bits = (u64)time << 32 | __float_as_uint(number);
    asm volatile("st.relaxed.gpu.global.u64 [%0], %1;" ::"l"(&word), "l"(bits) : "memory");
}

__device__ __forceinline__ float get(const u64 &word, u32 time) {
    u64 seen;
    do asm volatile("ld.relaxed.gpu.global.u64 %0, [%1];" : "=l"(seen) : "l"(&word) : "memory");
    while ((u32)(seen >> 32) != time);
    return __uint_as_float((u32)seen);
}

// Before: what the block wrote for others. After `meet`: what all wrote can be read.
__device__ __forceinline__ void come(Exchange &exchange) {
    together();
    if (threadIdx.x == 0)
        asm volatile("red.release.gpu.global.add.u32 [%0], 1;" ::"l"(&exchange.ready) : "memory");
}

__device__ __forceinline__ void meet(Exchange &exchange, u32 &time) {
    time += BLOCKS;
    if (threadIdx.x == 0) {
        u32 seen;
        do asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(seen) : "l"(&exchange.ready) : "memory");
        while ((int)(seen - time) < 0);
    }
    together();
}

// ---- Fetching ----

__device__ __forceinline__ void fetch(void *to, const char *from, u32 bytes, u64 &full, u64 policy) {
    asm volatile(
        "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint"
        " [%0], [%1], %2, [%3], %4;" ::"r"(address(to)),
        "l"(from), "r"(bytes), "r"(address(&full)), "l"(policy)
        : "memory");
}

// Fetch the block's share of a weight, or of its scales and zeros: in each turn the next groups of
// every part. A lane fetches what stands together: one group of a part and segment.
template <class P>
__device__ void fetch_product(Shared &shared, Turn &turn, Turn &landed, int &ahead, const char *weight, bool is_scale, u64 policy) {
    static_assert(P::PARTS * P::SEGMENTS * TOGETHER <= 32, "lanes suffice");
    const int lane = threadIdx.x % 32, block = blockIdx.x;
    const int first = P::first_tile(block), count = P::tiles(block);
    const int which = lane % TOGETHER, segment = lane / TOGETHER % P::SEGMENTS, part = lane / TOGETHER / P::SEGMENTS;
    const int start = P::first_group(part) + which, end = P::first_group(part + 1);
    const int unit = is_scale ? SHARED_BYTES : TILE_BYTES, bytes = count * unit;
    const i64 stride = (i64)P::SEGMENTS * P::OUTPUTS / TILE * unit;
    const char *from = weight + start * stride + (segment * P::OUTPUTS / TILE + first) * unit;
    const int to = (is_scale ? SCALES_AT : 0) + (which * WARPS + part * P::UNITS + segment * P::TILES) * unit;
    for (int i = 0; i < P::TURNS; i++) {
        const bool mine = part < P::PARTS && start + i * TOGETHER < end && count;
        await(shared.empty[turn.slot], turn.parity ^ 1);
        if (ahead == UNDER_WAY) {
            await(shared.full[landed.slot], landed.parity);
            landed.next();
        } else {
            ahead++;
        }
        const u32 all = __reduce_add_sync(~0u, mine ? bytes : 0);
        if (lane == 0) expect(shared.full[turn.slot], all);
        __syncwarp();
        if (mine) fetch(shared.slots[turn.slot] + to, from, bytes, shared.full[turn.slot], policy);
        from += TOGETHER * stride;
        turn.next();
    }
}

__device__ void fetch_all(Shared &shared, const Layer *layers, int count, bool is_scale) {
    Turn turn = {0, 0}, landed = {0, 0};
    int ahead = 0;
    u64 policy;  // each weight is read once a step
    asm("createpolicy.fractional.L2::evict_first.b64 %0, 1.0;" : "=l"(policy));
    for (int i = 0; i < count; i++) {
        const Layer &layer = layers[i];
        const char *qkv = is_scale ? layer.qkv_shared : layer.qkv_tiles;
        const char *o = is_scale ? layer.o_shared : layer.o_tiles;
        const char *gate_up = is_scale ? layer.gate_up_shared : layer.gate_up_tiles;
        const char *down = is_scale ? layer.down_shared : layer.down_tiles;
        fetch_product<QkvProduct>(shared, turn, landed, ahead, qkv, is_scale, policy);
        fetch_product<OutProduct>(shared, turn, landed, ahead, o, is_scale, policy);
        fetch_product<GateUpProduct>(shared, turn, landed, ahead, gate_up, is_scale, policy);
        fetch_product<DownProduct>(shared, turn, landed, ahead, down, is_scale, policy);
    }
}

// ---- Multiplying ----

// Turn what four lanes have, 4 × 4 bytes of `high` and of `low`, round: 8 lanes apart, `quarter` is a
// lane's place among them. Byte j of lane i becomes byte i of lane j.
__device__ __forceinline__ void turn_round(u32 &high, u32 &low, int quarter) {
    const bool late = quarter / 2, odd = quarter % 2;
    u32 sent = __byte_perm(high, low, late ? 0x5410 : 0x7632);
    u32 got = __shfl_xor_sync(~0u, sent, 16);
    high = late ? __byte_perm(got, high, 0x7610) : __byte_perm(high, got, 0x5410);
    low = late ? __byte_perm(got, low, 0x7632) : __byte_perm(low, got, 0x7610);
    sent = __byte_perm(high, low, odd ? 0x6420 : 0x7531);
    got = __shfl_xor_sync(~0u, sent, 8);
    high = odd ? __byte_perm(got, high, 0x7150) : __byte_perm(high, got, 0x5240);
    low = odd ? __byte_perm(got, low, 0x7352) : __byte_perm(low, got, 0x7260);
}

// Make a row of LENGTH numbers the inputs of the next product. Quad i of a thread is of four numbers
// from 4 (THREADS · i + thread) on, so that a warp has a group of each.
//
// Byte j of a weight's word c, of its lower nibbles, is for input 32j + c of a group; of its upper
// ones for 32j + 16 + c. Words of inputs are laid out alike.
template <int LENGTH, int COUNT>
__device__ __forceinline__ void put(Desk &desk, int row, const float4 (&quads)[COUNT]) {
    const int lane = threadIdx.x % 32;
    float tops[COUNT];
    u32 bits[COUNT][4];
    int sums[COUNT];
#pragma unroll
    for (int i = 0; i < COUNT; i++) {  // as bits, infinities and what is no number are the greatest
        const u32 one = max(__float_as_uint(quads[i].x) & 0x7FFFFFFF, __float_as_uint(quads[i].y) & 0x7FFFFFFF);
        const u32 two = max(__float_as_uint(quads[i].z) & 0x7FFFFFFF, __float_as_uint(quads[i].w) & 0x7FFFFFFF);
        tops[i] = __uint_as_float(__reduce_max_sync(~0u, max(one, two)));
    }
#pragma unroll
    for (int i = 0; i < COUNT; i++) {
        const float per = tops[i] > 0 ? __fdividef(32512, tops[i]) : 0;
        constexpr float WHOLE = 12582912;  // what is added to it is rounded into the last bits
        bits[i][0] = __float_as_uint(quads[i].x * per + WHOLE), bits[i][1] = __float_as_uint(quads[i].y * per + WHOLE);
        bits[i][2] = __float_as_uint(quads[i].z * per + WHOLE), bits[i][3] = __float_as_uint(quads[i].w * per + WHOLE);
        const u32 sum = bits[i][0] + bits[i][1] + bits[i][2] + bits[i][3] - 4 * 0x4B400000u;
        sums[i] = __reduce_add_sync(~0u, (int)sum);
    }
#pragma unroll
    for (int i = 0; i < COUNT; i++) {  // low bytes count from −128 to 127
        const u32 *b = bits[i];
        u32 low = __byte_perm(__byte_perm(b[0], b[1], 0x0040), __byte_perm(b[2], b[3], 0x0040), 0x5410);
        u32 high = __byte_perm(__byte_perm(b[0] + 128, b[1] + 128, 0x0051), __byte_perm(b[2] + 128, b[3] + 128, 0x0051), 0x5410);
        turn_round(high, low, lane / 8);
        const int group = (i * THREADS + threadIdx.x) * 4 / GROUP;
        if (group >= LENGTH / GROUP) continue;
        const int at = group * GROUP + lane / 4 % 2 * 64 + lane % 4 * 16 + lane / 8 * 4;
        *(u32 *)&desk.inputs[row][0][at] = high;
        *(u32 *)&desk.inputs[row][1][at] = low;
        if (lane == 0) desk.groups[row][group] = {tops[i] / 32512, sums[i]};
    }
}

__device__ __forceinline__ uint4 load16(u32 at) {
    uint4 loaded;
    asm volatile("ld.shared.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(loaded.x), "=r"(loaded.y), "=r"(loaded.z), "=r"(loaded.w)
                 : "r"(at));
    return loaded;
}

__device__ __forceinline__ u32 load4(u32 at) {
    u32 loaded;
    asm volatile("ld.shared.u32 %0, [%1];" : "=r"(loaded) : "r"(at));
    return loaded;
}

// What a warp multiplies in one turn: 16 outputs, a group of inputs. g = lane / 4, q = lane % 4.
struct Hand {
    uint4 upper, lower;  // words 4q … 4q + 3 of outputs g and g + 8
    u32 upper_shared, lower_shared;
    uint4 even, odd;  // inputs for lower and upper nibbles, of line g; zero where there is none
    uint2 group;  // of row q
};

// Addresses in shared memory, of what the thread takes.
__device__ __forceinline__ void load(Hand &hand, u32 words, u32 scales, u32 inputs, u32 group) {
    hand.upper = load16(words);
    hand.lower = load16(words + TILE_BYTES / 2);
    hand.upper_shared = load4(scales);
    hand.lower_shared = load4(scales + SHARED_BYTES / 2);
    if (threadIdx.x % 32 / 4 < 2 * ROWS) {
        hand.even = load16(inputs);
        hand.odd = load16(inputs + 64);
    }
    if (threadIdx.x % 4 < ROWS)
        asm volatile("ld.shared.v2.u32 {%0, %1}, [%2];" : "=r"(hand.group.x), "=r"(hand.group.y) : "r"(group));
}

__device__ __forceinline__ float scale_of(u32 shared) {
    float scale;
    asm("{.reg .b16 low, high;\nmov.b32 {low, high}, %1;\ncvt.f32.f16 %0, high;}" : "=f"(scale) : "r"(shared));
    return scale;
}

__device__ __forceinline__ void multiply_add(int (&sum)[4], u32 a0, u32 a1, u32 a2, u32 a3, u32 b0, u32 b1) {
    asm("mma.sync.aligned.m16n8k32.row.col.s32.u8.s8.s32"
        " {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+r"(sum[0]), "+r"(sum[1]), "+r"(sum[2]), "+r"(sum[3])
        : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
}

// Add a group's products for row q to outputs g and g + 8. The upper nibbles count 16 times.
__device__ __forceinline__ void add_group(float (&total)[2], const Hand &hand) {
    constexpr u32 M = 0x0F0F0F0F;
    const uint4 &u = hand.upper, &l = hand.lower;
    int even[4] = {}, odd[4] = {};
    multiply_add(even, u.x & M, l.x & M, u.y & M, l.y & M, hand.even.x, hand.even.y);
    multiply_add(odd, u.x & ~M, l.x & ~M, u.y & ~M, l.y & ~M, hand.odd.x, hand.odd.y);
    multiply_add(even, u.z & M, l.z & M, u.w & M, l.w & M, hand.even.z, hand.even.w);
    multiply_add(odd, u.z & ~M, l.z & ~M, u.w & ~M, l.w & ~M, hand.odd.z, hand.odd.w);
    const int high_upper = even[0] + (odd[0] >> 4), low_upper = even[1] + (odd[1] >> 4);
    const int high_lower = even[2] + (odd[2] >> 4), low_lower = even[3] + (odd[3] >> 4);
    const int inputs = (int)hand.group.y;
    const float scale = __uint_as_float(hand.group.x);
    const int upper = high_upper * 256 + low_upper - (int)(hand.upper_shared & 15) * inputs;
    const int lower = high_lower * 256 + low_lower - (int)(hand.lower_shared & 15) * inputs;
    total[0] += (float)upper * (scale_of(hand.upper_shared) * scale);
    total[1] += (float)lower * (scale_of(hand.lower_shared) * scale);
}

// Multiply what is fetched of a weight with `inputs`; leaves each warp's sums in `sums`.
template <class P>
__device__ void multiply(Shared &shared, Turn &turn) {
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, g = lane / 4, q = lane % 4;
    const int part = warp / P::UNITS, unit = warp % P::UNITS;
    const bool has = part < P::PARTS && unit % P::TILES < P::tiles(blockIdx.x);
    const int start = P::first_group(part), count = has ? P::first_group(part + 1) - start : 0;
    const u32 words = address(shared.slots) + warp * TILE_BYTES + lane * 16;
    const u32 scales = address(shared.slots) + SCALES_AT + warp * SHARED_BYTES + g * 4;
    u32 inputs = address(shared.desk.inputs) + g * LINE + start * GROUP + q * 16;
    u32 group = address(shared.desk.groups) + (q * (WIDEST / GROUP) + start) * sizeof(Group);
    float total[2] = {};
    Hand hands[TOGETHER] = {};
#pragma unroll 1
    for (int i = 0; i < P::TURNS; i++) {
        await(shared.full[turn.slot], turn.parity);
        const u32 slot = turn.slot * SLOT_BYTES;
#pragma unroll
        for (int j = 0; j < TOGETHER; j++)
            if (i * TOGETHER + j < count)
                load(hands[j], words + slot + j * WARPS * TILE_BYTES, scales + slot + j * WARPS * SHARED_BYTES, inputs + j * GROUP, group + j * sizeof(Group));
#pragma unroll
        for (int j = 0; j < TOGETHER; j++)
            if (i * TOGETHER + j < count) add_group(total, hands[j]);
        __syncwarp();
        if (lane == 0) arrive(shared.empty[turn.slot]);
        turn.next();
        inputs += TOGETHER * GROUP, group += TOGETHER * sizeof(Group);
    }
    if (q < ROWS) shared.desk.sums[warp][q][g] = total[0], shared.desk.sums[warp][q][g + 8] = total[1];
    together();
}

// The sum of a tile's parts, in their order, for one row and output, rounded.
template <class P>
__device__ __forceinline__ float whole(const Desk &desk, int unit, int row, int output) {
    float sum = 0;
#pragma unroll
    for (int part = 0; part < P::PARTS; part++) sum += desk.sums[part * P::UNITS + unit][row][output];
    return rounded(sum);
}

// Store the block's outputs to (ROWS, OUTPUTS).
template <class P>
__device__ void store(const Desk &desk, bf16 *out) {
    const int first = P::first_tile(blockIdx.x) * TILE, count = P::tiles(blockIdx.x) * TILE / 2;
    for (int i = threadIdx.x; i < ROWS * count; i += THREADS) {
        const int row = i / count, output = i % count * 2, unit = output / TILE, at = output % TILE;
        const u32 pair = pair_of(whole<P>(desk, unit, row, at), whole<P>(desk, unit, row, at + 1));
        *(u32 *)(out + row * P::OUTPUTS + first + output) = pair;
    }
}

__device__ __forceinline__ float silu(float gate) { return __fdividef(gate, 1 + exp2_fast(-gate * LOG2_E)); }

// Store silu(gate) · up.
__device__ void store_gated(const Desk &desk, bf16 *out) {
    typedef GateUpProduct P;
    const int first = P::first_tile(blockIdx.x) * TILE, count = P::tiles(blockIdx.x) * TILE / 2;
    for (int i = threadIdx.x; i < ROWS * count; i += THREADS) {
        const int row = i / count, output = i % count * 2, unit = output / TILE, at = output % TILE;
        float numbers[2];
#pragma unroll
        for (int j = 0; j < 2; j++)
            numbers[j] = silu(whole<P>(desk, unit, row, at + j)) * whole<P>(desk, P::TILES + unit, row, at + j);
        *(u32 *)(out + row * FFN + first + output) = pair_of(numbers[0], numbers[1]);
    }
}

// ---- Between the products ----

constexpr int QUADS = (HIDDEN / 4 + THREADS - 1) / THREADS;  // of the stream's numbers, for a thread

struct NormWeight {
    uint2 quads[QUADS];
};

// Read early what is multiplied when all have met.
__device__ __forceinline__ NormWeight load_norm(const bf16 *weight) {
    NormWeight loaded = {};
#pragma unroll
    for (int i = 0; i < QUADS; i++) {
        const int k = (i * THREADS + threadIdx.x) * 4;
        if (k < HIDDEN) loaded.quads[i] = *(const uint2 *)(weight + k);
    }
    return loaded;
}

// stream += update (ROWS, HIDDEN), rounded; inputs = that normalised by its root mean square.
__device__ void normalise(Desk &desk, const bf16 *update, const NormWeight &weight, float eps) {
    uint2 stream[ROWS][QUADS] = {};
#pragma unroll
    for (int row = 0; row < ROWS; row++) {
        uint2 more[QUADS] = {};
        float squares = 0;
#pragma unroll
        for (int i = 0; i < QUADS; i++) {
            const int k = (i * THREADS + threadIdx.x) * 4;
            if (update && k < HIDDEN) more[i] = __ldcg((const uint2 *)(update + row * HIDDEN + k));
        }
#pragma unroll
        for (int i = 0; i < QUADS; i++) {
            const int k = (i * THREADS + threadIdx.x) * 4;
            if (k >= HIDDEN) continue;
            uint2 &quad = stream[row][i] = *(const uint2 *)(desk.stream[row] + k);
            if (update) {
                quad = make_uint2(sum_of_pairs(quad.x, more[i].x), sum_of_pairs(quad.y, more[i].y));
                *(uint2 *)(desk.stream[row] + k) = quad;
            }
            const float2 a = split(quad.x), b = split(quad.y);
            squares += a.x * a.x + a.y * a.y + b.x * b.x + b.y * b.y;
        }
        squares = sum_of_warp(squares);
        if (threadIdx.x % 32 == 0) desk.squares[row][threadIdx.x / 32] = squares;
    }
    together();
#pragma unroll
    for (int row = 0; row < ROWS; row++) {
        float all = 0;
#pragma unroll
        for (int i = 0; i < WARPS; i++) all += desk.squares[row][i];
        const float scale = rsqrtf(all / HIDDEN + eps);
        float4 normed[QUADS];
#pragma unroll
        for (int i = 0; i < QUADS; i++) {
            const float2 a = split(stream[row][i].x), b = split(stream[row][i].y);
            const float2 c = split(weight.quads[i].x), d = split(weight.quads[i].y);
            normed[i].x = rounded(a.x * scale * c.x), normed[i].y = rounded(a.y * scale * c.y);
            normed[i].z = rounded(b.x * scale * d.x), normed[i].w = rounded(b.y * scale * d.y);
        }
        put<HIDDEN>(desk, row, normed);
    }
    together();
}

// inputs = what all blocks have written to (ROWS, LENGTH).
template <int LENGTH>
__device__ void take(Desk &desk, const bf16 *from) {
    constexpr int COUNT = (LENGTH / 4 + THREADS - 1) / THREADS;
#pragma unroll 1
    for (int row = 0; row < ROWS; row++) {
        uint2 quads[COUNT] = {};
        float4 numbers[COUNT];
#pragma unroll
        for (int i = 0; i < COUNT; i++) {
            const int k = (i * THREADS + threadIdx.x) * 4;
            if (k < LENGTH) quads[i] = __ldcg((const uint2 *)(from + row * LENGTH + k));
        }
#pragma unroll
        for (int i = 0; i < COUNT; i++) {
            const float2 a = split(quads[i].x), b = split(quads[i].y);
            numbers[i] = make_float4(a.x, a.y, b.x, b.y);
        }
        put<LENGTH>(desk, row, numbers);
    }
    together();
}

// ---- Attention ----

struct Cache {
    bf16 *keys, *values;  // of a layer: (slots, KV_HEADS, room, D)
    const float *cos, *sin;  // (room, D)
    int room;
};

__device__ Piece find_piece(const i64 *slots, const i64 *lengths, int room) {
    Piece piece = {};
    const int row = blockIdx.x / (KV_HEADS * PIECES), index = blockIdx.x % PIECES;
    if (row >= ROWS) return piece;
    const int length = (int)lengths[row], count = min(PIECES, length / WARPS + 1);
    if (index >= count) return piece;
    piece.row = row, piece.kv_head = blockIdx.x / PIECES % KV_HEADS, piece.index = index, piece.count = count;
    piece.length = length;
    piece.start = (length + 1) * index / count, piece.end = (length + 1) * (index + 1) / count;
    piece.head = (slots[row] * KV_HEADS + piece.kv_head) * room * D;
    return piece;
}

// Keys and values of some of a warp's positions: four numbers of each in a thread.
struct Held {
    uint2 keys[POSITIONS], values[POSITIONS];
};

__device__ __forceinline__ void load_held(Held &held, const Piece &piece, int first, const Cache &cache) {
#pragma unroll
    for (int i = 0; i < POSITIONS; i++) {
        const int position = first + i * WARPS;
        if (position >= min(piece.end, piece.length)) continue;
        const i64 at = piece.head + (i64)position * D + threadIdx.x % 32 * 4;
        held.keys[i] = *(const uint2 *)(cache.keys + at);
        held.values[i] = *(const uint2 *)(cache.values + at);
    }
}

// Normalise a head, round it, turn its pairs; a warp does it. A thread has numbers 2i, 2i + 1 of
// each half: number n is turned with n + D / 2.
__device__ void turn_head(const bf16 *head, const bf16 *weight, float eps, const Cache &cache, int position, float *out) {
    const int at = threadIdx.x % 32 * 2;
    const float2 one = split(__ldcg((const u32 *)(head + at))), two = split(__ldcg((const u32 *)(head + D / 2 + at)));
    const float2 cosine = *(const float2 *)(cache.cos + (i64)position * D + at);
    const float2 sine = *(const float2 *)(cache.sin + (i64)position * D + at);
    const float2 factor = split(*(const u32 *)(weight + at)), other_factor = split(*(const u32 *)(weight + D / 2 + at));
    const float squares = sum_of_warp(one.x * one.x + one.y * one.y + two.x * two.x + two.y * two.y);
    const float scale = rsqrtf(squares / D + eps);
    const float ax = rounded(one.x * scale * factor.x), ay = rounded(one.y * scale * factor.y);
    const float bx = rounded(two.x * scale * other_factor.x), by = rounded(two.y * scale * other_factor.y);
    *(float2 *)(out + at) = make_float2(rounded(ax * cosine.x - bx * sine.x), rounded(ay * cosine.y - by * sine.y));
    *(float2 *)(out + D / 2 + at) = make_float2(rounded(bx * cosine.x + ax * sine.x), rounded(by * cosine.y + ay * sine.y));
}

// Make ready what a piece needs of the newest token; the last piece also puts it into the cache.
__device__ void begin_piece(Desk &desk, const Piece &piece, const Layer &layer, const Cache &cache, const bf16 *qkv, float eps) {
    const int warp = threadIdx.x / 32, at = threadIdx.x % 32 * 4;
    const bf16 *row = qkv + piece.row * QKV;
    const i64 cell = piece.head + (i64)piece.length * D + at;
    if (warp < QUERIES) {
        const bf16 *head = row + (piece.kv_head * QUERIES + warp) * D;
        turn_head(head, layer.q_norm, eps, cache, piece.length, desk.query[warp]);
    } else if (piece.is_last() && warp == QUERIES) {
        turn_head(row + (HEADS + piece.kv_head) * D, layer.k_norm, eps, cache, piece.length, desk.new_key);
        __syncwarp();
        const float4 key = *(const float4 *)(desk.new_key + at);
        *(uint2 *)(cache.keys + cell) = make_uint2(pair_of(key.x, key.y), pair_of(key.z, key.w));
    } else if (piece.is_last() && warp == QUERIES + 1) {
        const uint2 value = __ldcg((const uint2 *)(row + (HEADS + KV_HEADS + piece.kv_head) * D + at));
        const float2 a = split(value.x), b = split(value.y);
        *(float4 *)(desk.new_value + at) = make_float4(a.x, a.y, b.x, b.y);
        *(uint2 *)(cache.values + cell) = value;
    }
    together();
}

// A warp's positions → its maximum, sum and mix of each query, in shared memory.
__device__ void mix_positions(Desk &desk, const Piece &piece, Held &held, const Cache &cache, float *mixes) {
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const float scale = LOG2_E * rsqrtf((float)D);
    float tops[QUERIES], totals[QUERIES] = {}, mix[QUERIES][4] = {};
    float4 query[QUERIES];
#pragma unroll
    for (int h = 0; h < QUERIES; h++) tops[h] = NOTHING, query[h] = *(const float4 *)&desk.query[h][lane * 4];
    for (int first = piece.start + warp; first < piece.end; first += WARPS * POSITIONS) {
        float scores[QUERIES][POSITIONS], values[POSITIONS][4];
#pragma unroll
        for (int i = 0; i < POSITIONS; i++) {
            const int position = first + i * WARPS;
            float4 key;
            if (position < piece.length) {
                const float2 a = split(held.keys[i].x), b = split(held.keys[i].y);
                key = make_float4(a.x, a.y, b.x, b.y);
                const float2 c = split(held.values[i].x), d = split(held.values[i].y);
                values[i][0] = c.x, values[i][1] = c.y, values[i][2] = d.x, values[i][3] = d.y;
            } else {  // the newest, or none: its score is not counted then, nor is a value
                const bool newest = position == piece.length;
                key = *(const float4 *)&desk.new_key[lane * 4];
#pragma unroll
                for (int j = 0; j < 4; j++) values[i][j] = newest ? desk.new_value[lane * 4 + j] : 0;
            }
#pragma unroll
            for (int h = 0; h < QUERIES; h++) {
                const float part = query[h].x * key.x + query[h].y * key.y + query[h].z * key.z + query[h].w * key.w;
                const float score = sum_of_warp(part) * scale;
                scores[h][i] = position < piece.end ? score : NOTHING;
            }
        }
#pragma unroll
        for (int h = 0; h < QUERIES; h++) {
            float top = tops[h];
#pragma unroll
            for (int i = 0; i < POSITIONS; i++) top = fmaxf(top, scores[h][i]);
            const float fade = exp2_fast(tops[h] - top);
            totals[h] *= fade, tops[h] = top;
#pragma unroll
            for (int j = 0; j < 4; j++) mix[h][j] *= fade;
#pragma unroll
            for (int i = 0; i < POSITIONS; i++) {
                const float weight = exp2_fast(scores[h][i] - top);
                totals[h] += weight;
#pragma unroll
                for (int j = 0; j < 4; j++) mix[h][j] += weight * values[i][j];
            }
        }
        load_held(held, piece, first + WARPS * POSITIONS, cache);
    }
#pragma unroll
    for (int h = 0; h < QUERIES; h++) {
        *(float4 *)(mixes + (warp * QUERIES + h) * D + lane * 4) = make_float4(mix[h][0], mix[h][1], mix[h][2], mix[h][3]);
        if (lane == 0) desk.tops[warp][h] = tops[h], desk.totals[warp][h] = totals[h];
    }
    together();
}

// Hand over the piece's mix: that of its warps.
__device__ void give_piece(const Desk &desk, const Piece &piece, const float *mixes, Exchange &exchange, u32 time) {
    const int row = piece.row, kv_head = piece.kv_head, index = piece.index;
    for (int i = threadIdx.x; i < QUERIES * D; i += THREADS) {
        const int h = i / D;
        float top = desk.tops[0][h], total = 0, mix = 0;
#pragma unroll
        for (int w = 1; w < WARPS; w++) top = fmaxf(top, desk.tops[w][h]);
#pragma unroll
        for (int w = 0; w < WARPS; w++) {
            const float share = exp2_fast(desk.tops[w][h] - top);
            total += share * desk.totals[w][h];
            mix += share * mixes[w * QUERIES * D + i];
        }
        give(exchange.mixes[row][kv_head][index][i], mix, time);
        if (i % D) continue;
        give(exchange.tops[row][kv_head][index][h], top, time);
        give(exchange.totals[row][kv_head][index][h], total, time);
    }
    together();
}

// Add up the pieces of the kv head, first to last: each block that has one does so for a share of
// the numbers.
__device__ void join_pieces(const Piece &piece, float *room, Exchange &exchange, u32 time) {
    const int row = piece.row, kv_head = piece.kv_head, count = piece.count;
    const int first = QUERIES * D / 2 * piece.index / count * 2;
    const int numbers = QUERIES * D / 2 * (piece.index + 1) / count * 2 - first;
    float *mixes = room, *tops = room + count * numbers, *totals = tops + count * QUERIES;
    for (int i = threadIdx.x; i < count * numbers; i += THREADS)
        mixes[i] = get(exchange.mixes[row][kv_head][i / numbers][first + i % numbers], time);
    for (int i = threadIdx.x; i < count * QUERIES; i += THREADS) {
        tops[i] = get(exchange.tops[row][kv_head][i / QUERIES][i % QUERIES], time);
        totals[i] = get(exchange.totals[row][kv_head][i / QUERIES][i % QUERIES], time);
    }
    together();
    for (int i = threadIdx.x * 2; i < numbers; i += THREADS * 2) {
        const int h = (first + i) / D;
        float top = NOTHING, total = 0, one = 0, two = 0;
        for (int p = 0; p < count; p++) top = fmaxf(top, tops[p * QUERIES + h]);
#pragma unroll 4
        for (int p = 0; p < count; p++) {
            const float share = exp2_fast(tops[p * QUERIES + h] - top);
            total += share * totals[p * QUERIES + h];
            one += share * mixes[p * numbers + i], two += share * mixes[p * numbers + i + 1];
        }
        *(u32 *)&exchange.mixed[row][kv_head * QUERIES * D + first + i] = pair_of(one / total, two / total);
    }
}

// ---- The step ----

extern "C" __global__ void __launch_bounds__(THREADS + FETCHERS * 32, 1) decode_step(
    const Layer *layers, int layer_count, const bf16 *x, const i64 *slots, const i64 *lengths,
    bf16 *keys, bf16 *values, i64 layer_size, const float *cos, const float *sin, int room,
    Exchange &exchange, bf16 *stream_out, bf16 *update_out, float eps
) {
    extern __shared__ __align__(128) char memory[];
    Shared &shared = *(Shared *)memory;
    Desk &desk = shared.desk;
    if (threadIdx.x == 0) {
        for (int i = 0; i < SLOTS; i++) init(shared.full[i], FETCHERS), init(shared.empty[i], WARPS);
        asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
        asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
        desk.piece = find_piece(slots, lengths, room);
    }
    __syncthreads();
    if (threadIdx.x >= THREADS) {
        fetch_all(shared, layers, layer_count, threadIdx.x >= THREADS + 32);
        return;
    }
    Turn turn = {0, 0};
    u32 time = *(volatile u32 *)&exchange.time;
    const Piece &piece = desk.piece;
    float *mixes = (float *)desk.inputs;  // while no product needs them
    static_assert(sizeof(float) * WARPS * QUERIES * D <= sizeof(Desk::inputs), "room for the warps' mixes");
    for (int i = threadIdx.x; i < ROWS * HIDDEN / 8; i += THREADS) ((uint4 *)desk.stream)[i] = ((const uint4 *)x)[i];
    together();
    NormWeight norm = load_norm(layers[0].norm);
    for (int i = 0; i < layer_count; i++) {
        const Layer &layer = layers[i];
        const Cache cache = {keys + i * layer_size, values + i * layer_size, cos, sin, room};

        normalise(desk, i ? exchange.update[0] : nullptr, norm, eps);
        multiply<QkvProduct>(shared, turn);
        store<QkvProduct>(desk, exchange.qkv[0]);
        come(exchange);
        Held held = {};
        if (piece.count) load_held(held, piece, piece.start + threadIdx.x / 32, cache);
        meet(exchange, time);

        if (piece.count) {
            begin_piece(desk, piece, layer, cache, exchange.qkv[0], eps);
            mix_positions(desk, piece, held, cache, mixes);
            give_piece(desk, piece, mixes, exchange, time);
            join_pieces(piece, mixes, exchange, time);
        }
        come(exchange);
        norm = load_norm(layer.post_norm);
        meet(exchange, time);

        take<MIXED>(desk, exchange.mixed[0]);
        multiply<OutProduct>(shared, turn);
        store<OutProduct>(desk, exchange.attended[0]);
        come(exchange);
        meet(exchange, time);

        normalise(desk, exchange.attended[0], norm, eps);
        multiply<GateUpProduct>(shared, turn);
        store_gated(desk, exchange.gated[0]);
        come(exchange);
        meet(exchange, time);

        take<FFN>(desk, exchange.gated[0]);
        multiply<DownProduct>(shared, turn);
        const bool more = i + 1 < layer_count;
        store<DownProduct>(desk, more ? exchange.update[0] : update_out);
        if (!more) break;
        come(exchange);
        norm = load_norm(layers[i + 1].norm);
        meet(exchange, time);
    }
    if (blockIdx.x) return;
    for (int i = threadIdx.x; i < ROWS * HIDDEN / 8; i += THREADS) ((uint4 *)stream_out)[i] = ((const uint4 *)desk.stream)[i];
    if (threadIdx.x == 0) exchange.time = time;  // all have read it: they have put their flags up since
}
