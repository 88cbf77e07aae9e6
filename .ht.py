import sys,tempfile,os,time
from pathlib import Path
from benchmarks.trust import hostile, paths, names
which,n=sys.argv[1],int(sys.argv[2])
t=time.time()
with tempfile.TemporaryDirectory(dir="/dev/shm") as d:
    d=Path(d)
    r={"pickles":lambda: hostile.check_pickles(n,d),"names":lambda: names.check_names(n,1,d),"paths":lambda: paths.check_paths(n,d)}[which]()
    os.chdir("/work/wt/hostile")
print(r[0],len(r[1])); [print(x[:400]) for x in r[1][:25]]; print(time.time()-t)
