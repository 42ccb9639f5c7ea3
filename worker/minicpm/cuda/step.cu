// A step for few rows reads every weight once and computes next to nothing. As ten kernels a layer
// it spends more time on beginnings and ends than on reading. Here each multiprocessor has one
// block for the whole step. Two of its warps do nothing but fetch the block's share of the
// weights, layer after layer, into a ring of slots in shared memory: they need nothing that the
// step computes, so they go on while the others wait for each other. The others multiply what has
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

#include "attention.cuh"
#include "products.cuh"
#include "weights.cuh"

extern "C" __global__ void __launch_bounds__(THREADS + FETCHERS * 32, 1)
    decode_step(const Layer *layers, int layer_count, const bf16 *x, const i64 *slots,
                const i64 *lengths, bf16 *keys, bf16 *values, i64 layer_size, const float *cos,
                const float *sin, int room, Exchange &exchange, bf16 *stream_out, bf16 *update_out,
                float eps) {
    extern __shared__ __align__(128) char memory[];
    Shared &shared = *(Shared *)memory;
    Desk &desk = shared.desk;
    if (threadIdx.x == 0) {
        for (int i = 0; i < SLOTS; i++)
            init(shared.full[i], FETCHERS), init(shared.empty[i], WARPS);
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
    static_assert(sizeof(float) * WARPS * QUERIES * D <= sizeof(Desk::inputs),
                  "room for the warps' mixes");
    for (int i = threadIdx.x; i < ROWS * HIDDEN / 8; i += THREADS)
        ((uint4 *)desk.stream)[i] = ((const uint4 *)x)[i];
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
    for (int i = threadIdx.x; i < ROWS * HIDDEN / 8; i += THREADS)
        ((uint4 *)stream_out)[i] = ((const uint4 *)desk.stream)[i];
    if (threadIdx.x == 0) exchange.time = time;  // all have read it: they have met since
}
