package fstest
