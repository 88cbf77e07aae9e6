# Golden file of tests/emit/test_verilog.py; rewrite it with pytest --update-golden.

# Packages dense_axi for the IP catalog of Vivado, as the folder ip beside this file:
#   vivado -mode batch -nojournal -source package_ip.tcl
# HWA_PART: a device of the family that you use first.
set part xc7z020clg400-1
if {[info exists ::env(HWA_PART)]} { set part $::env(HWA_PART) }
set here [file dirname [file normalize [info script]]]
set rtl [file normalize [file join $here .. rtl]]

create_project -force pack [file join $here vivado_pack] -part $part
foreach source {
    dense.v
    dense_axi.v
    hwa_accumulate.v
    hwa_axil.v
    hwa_fifo.v
    hwa_frame_in.v
    hwa_frame_out.v
    hwa_gate.v
    hwa_loop.v
    hwa_mac.v
    hwa_meet.v
    hwa_pace.v
    hwa_ram.v
    hwa_regs.v
    hwa_requant.v
    hwa_rom.v
    hwa_seal.v
    hwa_sum_tree.v
    hwa_tally.v
    hwa_window.v
    hwa_window_axis.v
    hwa_window_corner.v
    hwa_window_list.v
    hwa_window_order.v
    hwa_window_tap.v
    dense_rounded_mac_channels.mem
    dense_rounded_mac_weights.mem
} {
    add_files -norecurse [file join $rtl $source]
}
set_property top dense_axi [current_fileset]
update_compile_order -fileset sources_1

ipx::package_project -force -import_files -root_dir [file join $here ip] \
    -vendor hwaccel -library user -taxonomy /UserIP
set core [ipx::current_core]
set_property name dense_axi $core
set_property version 1.0 $core
set_property display_name dense_axi $core
set_property description "Design 0123456789abcdef of hwaccel" $core
set_property auto_family_support_level level_2 $core

# The buses follow from the attributes of the ports; the registers are told here.
set map [ipx::get_memory_maps -quiet s_axi -of_objects $core]
if {$map eq ""} {
    set map [ipx::add_memory_map s_axi $core]
    set_property slave_memory_map_ref s_axi [ipx::get_bus_interfaces s_axi -of_objects $core]
}
set block [lindex [ipx::get_address_blocks -quiet -of_objects $map] 0]
if {$block eq ""} { set block [ipx::add_address_block registers $map] }
set_property range 4096 $block
set_property width 32 $block
set_property usage register $block
foreach {name offset} {
    ID 0
    VERSION 4
    HASH_LO 8
    HASH_HI 12
    STREAMS 16
    SCRATCH 20
    CONTROL 24
    STATUS 28
    IRQ_ENABLE 32
    IRQ_PENDING 36
    CYCLES_LO 40
    CYCLES_HI 44
    FRAMES_IN 48
    FRAMES_OUT 52
    IN_FLIGHT 56
    LATENCY 60
    INTERVAL 64
    S_AXIS_BEATS 256
    S_AXIS_BITS 260
    S_AXIS_FRAMES 264
    S_AXIS_STALLS 268
    M_AXIS_BEATS 272
    M_AXIS_BITS 276
    M_AXIS_FRAMES 280
    M_AXIS_STALLS 284
} {
    set register [ipx::add_register $name $block]
    set_property address_offset $offset $register
    set_property size 32 $register
}

ipx::create_xgui_files $core
ipx::update_checksums $core
ipx::check_integrity $core
ipx::save_core $core
close_project
