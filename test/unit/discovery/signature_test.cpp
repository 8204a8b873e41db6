#include "multicast/signature.hpp"

#include "announcements.hpp"
#include "catch.hpp"

using namespace kommander;
using namespace kommander::testing;
using multicast::Signature;

// RFC 4231, test cases 1, 2 and 6: short, common and long keys.
TEST_CASE("signature: the vectors of RFC 4231") {
  const auto hex = [](const Signature& signature) {
    std::string text;
    for (const std::byte byte : signature) {
      for (const int nibble : {std::to_integer<int>(byte) >> 4, std::to_integer<int>(byte) & 15}) {
        text += "0123456789abcdef"[nibble];
      }
    }
    return text;
  };
  CHECK(hex(multicast::Sign(std::string(20, '\x0b'), AsBytes("Hi There"))) ==
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  CHECK(hex(multicast::Sign("Jefe", AsBytes("what do ya want for nothing?"))) ==
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  CHECK(hex(multicast::Sign(std::string(131, '\xaa'),
                            AsBytes("Test Using Larger Than Block-Size Key - Hash Key First"))) ==
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST_CASE("signature: any of the secrets, and nothing else") {
  const ByteSpan bytes = AsBytes("an announcement");
  const Signature signature = multicast::Sign(kSecret, bytes);
  CHECK(multicast::IsSignedWith({kSecret}, bytes, signature));
  CHECK(multicast::IsSignedWith({kNewSecret, kSecret}, bytes, signature));
  CHECK_FALSE(multicast::IsSignedWith({kNewSecret}, bytes, signature));
  CHECK_FALSE(multicast::IsSignedWith({}, bytes, signature));
  CHECK_FALSE(multicast::IsSignedWith({kSecret}, AsBytes("another one"), signature));
  for (std::size_t bit = 0; bit < 8 * signature.size(); ++bit) {
    Signature flipped = signature;
    flipped[bit / 8] ^= std::byte{1} << (bit % 8);
    CHECK_FALSE(multicast::IsSignedWith({kSecret}, bytes, flipped));
  }
}

TEST_CASE("signature: boots differ") { CHECK(multicast::DrawBoot() != multicast::DrawBoot()); }
