# Written by hwaccel VERSION for mac on xcup; do not edit.
# Out of context: no pads, so that no package limits the ports. Run it in this folder:
#   vivado -mode batch -nojournal -source vivado.tcl

create_project -in_memory -part xczu7ev-ffvc1156-2-e
read_verilog mac.v
read_xdc -mode out_of_context clock.xdc

synth_design -top mac -part xczu7ev-ffvc1156-2-e -mode out_of_context
opt_design
place_design
phys_opt_design
route_design

report_utilization -file utilization.rpt
report_timing_summary -file timing.rpt
write_checkpoint -force mac.dcp

proc hwa_count {pattern} {
    return [llength [get_cells -quiet -hierarchical -filter "IS_PRIMITIVE && REF_NAME =~ $pattern"]]
}

set paths [get_timing_paths -setup -max_paths 1]
set slack [expr {[llength $paths] ? [get_property SLACK [lindex $paths 0]] : "null"}]
set result [open result.json w]
puts $result "{\"slack_ns\": $slack,"
puts $result " \"luts\": [hwa_count LUT*], \"ffs\": [hwa_count FD*], \"dsps\": [hwa_count DSP48*],"
puts $result " \"ramb18s\": [hwa_count RAMB18*], \"ramb36s\": [hwa_count RAMB36*]}"
close $result
