// What programs find in the shared library; everything else is hidden in it. What bears the macro:
// a class with virtual functions, or with a member that the header only declares; any other
// function that the header only declares; a variable that the library and the program share. An
// interface is among them because both sides make it, and have to mean the same type when they
// cast.
#pragma once

#define KOMMANDER_EXPORT __attribute__((visibility("default")))
