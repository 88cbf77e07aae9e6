# Written by hwaccel VERSION for mac on 5CSEBA6U23I7; do not edit.
# Ports are virtual pins, so that no package limits them. Run it in this folder:
#   quartus_sh -t quartus.tcl

package require ::quartus::project
package require ::quartus::flow

project_new -overwrite mac
set_global_assignment -name FAMILY {Cyclone V}
set_global_assignment -name DEVICE 5CSEBA6U23I7
set_global_assignment -name TOP_LEVEL_ENTITY mac
set_global_assignment -name PROJECT_OUTPUT_DIRECTORY output_files
set_global_assignment -name VERILOG_FILE mac.v
set_global_assignment -name SDC_FILE clock.sdc
set_instance_assignment -name VIRTUAL_PIN ON -to *
set_instance_assignment -name VIRTUAL_PIN OFF -to clk
export_assignments

execute_flow -compile
project_close
