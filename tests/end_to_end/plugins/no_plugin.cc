#include "constant.h"

LEAVE_WORD_WHEN_OPENED("NO_PLUGIN")

extern "C" QFW_API int an_ordinary_function();
int an_ordinary_function() { return 42; }
