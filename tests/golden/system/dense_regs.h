// Golden file of tests/emit/test_verilog.py; rewrite it with pytest --update-golden.

// Registers of dense_axi: offsets in bytes, bits as masks, and what identifies the design.
#ifndef DENSE_REGS_H
#define DENSE_REGS_H

#define DENSE_VALUE_ID                               0x48574143u
#define DENSE_VALUE_VERSION                          0x00010000u
#define DENSE_VALUE_HASH_LO                          0x89ABCDEFu
#define DENSE_VALUE_HASH_HI                          0x01234567u
#define DENSE_REG_ID                                 0x000u
#define DENSE_REG_VERSION                            0x004u
#define DENSE_REG_HASH_LO                            0x008u
#define DENSE_REG_HASH_HI                            0x00Cu
#define DENSE_REG_STREAMS                            0x010u
#define DENSE_REG_SCRATCH                            0x014u
#define DENSE_REG_CONTROL                            0x018u
#define DENSE_REG_STATUS                             0x01Cu
#define DENSE_REG_IRQ_ENABLE                         0x020u
#define DENSE_REG_IRQ_PENDING                        0x024u
#define DENSE_REG_CYCLES_LO                          0x028u
#define DENSE_REG_CYCLES_HI                          0x02Cu
#define DENSE_REG_FRAMES_IN                          0x030u
#define DENSE_REG_FRAMES_OUT                         0x034u
#define DENSE_REG_IN_FLIGHT                          0x038u
#define DENSE_REG_LATENCY                            0x03Cu
#define DENSE_REG_INTERVAL                           0x040u
#define DENSE_CONTROL_ENABLE                         0x01u
#define DENSE_CONTROL_RESET                          0x02u
#define DENSE_CONTROL_RESYNC                         0x04u
#define DENSE_CONTROL_CLEAR                          0x08u
#define DENSE_STATUS_ENABLED                         0x01u
#define DENSE_STATUS_BUSY                            0x02u
#define DENSE_STATUS_FRAME_ERROR                     0x04u
#define DENSE_STATUS_RESETTING                       0x08u
#define DENSE_STATUS_SKIPPING                        0x10u
#define DENSE_IRQ_ENABLE_FRAME_DONE                  0x01u
#define DENSE_IRQ_ENABLE_FRAME_ERROR                 0x02u
#define DENSE_IRQ_PENDING_FRAME_DONE                 0x01u
#define DENSE_IRQ_PENDING_FRAME_ERROR                0x02u
#define DENSE_REG_S_AXIS_BEATS                       0x100u
#define DENSE_REG_S_AXIS_BITS                        0x104u
#define DENSE_REG_S_AXIS_FRAMES                      0x108u
#define DENSE_REG_S_AXIS_STALLS                      0x10Cu
#define DENSE_REG_M_AXIS_BEATS                       0x110u
#define DENSE_REG_M_AXIS_BITS                        0x114u
#define DENSE_REG_M_AXIS_FRAMES                      0x118u
#define DENSE_REG_M_AXIS_STALLS                      0x11Cu

#endif
