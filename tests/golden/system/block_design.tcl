# Golden file of tests/emit/test_verilog.py; rewrite it with pytest --update-golden.

# A block design with dense_axi and nothing else, every port external. Run package_ip.tcl
# first, then:
#   vivado -mode batch -nojournal -source block_design.tcl
# HWA_PART: the device.
set part xc7z020clg400-1
if {[info exists ::env(HWA_PART)]} { set part $::env(HWA_PART) }
set here [file dirname [file normalize [info script]]]

create_project -force example [file join $here vivado_example] -part $part
set_property ip_repo_paths [file join $here ip] [current_project]
update_ip_catalog

create_bd_design example
set cell [create_bd_cell -type ip -vlnv hwaccel:user:dense_axi:1.0 accelerator]
foreach pin {aclk aresetn irq} {
    make_bd_pins_external -name $pin [get_bd_pins $cell/$pin]
}
foreach bus {
    s_axi
    s_axis
    m_axis
} {
    make_bd_intf_pins_external -name $bus [get_bd_intf_pins $cell/$bus]
}
set_property CONFIG.ASSOCIATED_BUSIF s_axi:s_axis:m_axis [get_bd_ports aclk]
set_property CONFIG.ASSOCIATED_RESET aresetn [get_bd_ports aclk]
assign_bd_address
validate_bd_design
save_bd_design
make_wrapper -top -import -files [get_files example.bd]
close_project
