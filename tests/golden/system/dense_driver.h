// Golden file of tests/emit/test_verilog.py; rewrite it with pytest --update-golden.

// A driver for dense_axi without an operating system, C99 and C++. `base` is the address of
// its registers. Define HWACCEL_READ32 and HWACCEL_WRITE32 to reach them in another way.
#ifndef DENSE_DRIVER_H
#define DENSE_DRIVER_H

#include <stdint.h>

#include "dense_regs.h"

#ifndef HWACCEL_READ32
#define HWACCEL_READ32(address) (*(volatile uint32_t *)(address))
#define HWACCEL_WRITE32(address, value) (*(volatile uint32_t *)(address) = (value))
#endif

static inline uint32_t dense_read(uintptr_t base, uint32_t offset) {
    return HWACCEL_READ32(base + offset);
}

static inline void dense_write(uintptr_t base, uint32_t offset, uint32_t value) {
    HWACCEL_WRITE32(base + offset, value);
}

// 0 when this very design is there; -1 nothing of hwaccel, -2 another register map, -3 another
// design.
static inline int dense_probe(uintptr_t base) {
    if (dense_read(base, DENSE_REG_ID) != DENSE_VALUE_ID) return -1;
    if (dense_read(base, DENSE_REG_VERSION) >> 16 != DENSE_VALUE_VERSION >> 16) return -2;
    if (dense_read(base, DENSE_REG_HASH_LO) != DENSE_VALUE_HASH_LO) return -3;
    if (dense_read(base, DENSE_REG_HASH_HI) != DENSE_VALUE_HASH_HI) return -3;
    return 0;
}

// Clear the counters and let frames in.
static inline void dense_start(uintptr_t base) {
    dense_write(base, DENSE_REG_CONTROL,
        DENSE_CONTROL_CLEAR | DENSE_CONTROL_ENABLE);
}

// Let no further frame in; those that have begun go on.
static inline void dense_stop(uintptr_t base) {
    dense_write(base, DENSE_REG_CONTROL, 0);
}

// 1 while a frame is inside, or on its way in or out.
static inline int dense_busy(uintptr_t base) {
    return (dense_read(base, DENSE_REG_STATUS) & DENSE_STATUS_BUSY) != 0;
}

// 1 after a tlast was missing or misplaced, until a reset.
static inline int dense_failed(uintptr_t base) {
    return (dense_read(base, DENSE_REG_STATUS) & DENSE_STATUS_FRAME_ERROR) != 0;
}

// Stop, and forget all frames inside. `resync` for sources that run on: what they are in the
// middle of is dropped. 0 for sources that begin anew. Returns 0, or -1 where the core does not
// answer within DENSE_RESET_POLLS reads, as without a clock; a program may define that number.
#ifndef DENSE_RESET_POLLS
#define DENSE_RESET_POLLS 1000000L
#endif
static inline int dense_reset(uintptr_t base, int resync) {
    dense_write(base, DENSE_REG_CONTROL,
        resync ? DENSE_CONTROL_RESET | DENSE_CONTROL_RESYNC : DENSE_CONTROL_RESET);
    for (long polls = 0; polls < DENSE_RESET_POLLS; polls++) {
        if (!(dense_read(base, DENSE_REG_CONTROL) & DENSE_CONTROL_RESET)) return 0;
    }
    return -1;
}

// Choose the events that raise the interrupt: DENSE_IRQ_ENABLE_*.
static inline void dense_irq_enable(uintptr_t base, uint32_t events) {
    dense_write(base, DENSE_REG_IRQ_ENABLE, events);
}

// Return the events that happened, DENSE_IRQ_PENDING_*, and clear these.
static inline uint32_t dense_irq_take(uintptr_t base) {
    const uint32_t events = dense_read(base, DENSE_REG_IRQ_PENDING);
    dense_write(base, DENSE_REG_IRQ_PENDING, events);
    return events;
}

// Cycles in which the design was enabled or busy.
static inline uint64_t dense_cycles(uintptr_t base) {
    // In this order: the read of the lower half keeps the upper one.
    const uint64_t low = dense_read(base, DENSE_REG_CYCLES_LO);
    return low | (uint64_t)dense_read(base, DENSE_REG_CYCLES_HI) << 32;
}

// Frames taken whole, on all inputs.
static inline uint32_t dense_frames_in(uintptr_t base) {
    return dense_read(base, DENSE_REG_FRAMES_IN);
}

// Frames handed over whole, on all outputs.
static inline uint32_t dense_frames_out(uintptr_t base) {
    return dense_read(base, DENSE_REG_FRAMES_OUT);
}

// Cycles from the first beat in to the last beat out of the frame measured last; 0 before any.
static inline uint32_t dense_latency(uintptr_t base) {
    return dense_read(base, DENSE_REG_LATENCY);
}

// Cycles between the ends of the last two frames; 0 before the second.
static inline uint32_t dense_interval(uintptr_t base) {
    return dense_read(base, DENSE_REG_INTERVAL);
}

#endif
