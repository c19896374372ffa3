// Without a file like this one the compiler wants a body for expand.
