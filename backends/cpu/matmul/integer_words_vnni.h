#pragma once

#include "matmul/integer_words.h"

namespace qfw::cpu {

bool has_vnni();  ///< of 512 bits
void multiply_vnni(const WordRow& row);

}  // namespace qfw::cpu
