package access

// Account2000 is the large account for the tests beside the package.
var Account2000 = account2000
