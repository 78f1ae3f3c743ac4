-- wrk: a body of 64 KiB
wrk.method = "POST"
wrk.body = string.rep("p", 65536)
