<?php

declare(strict_types=1);

namespace Proletarier\Tests\Fixture;

enum Suit
{
    case Hearts;
    case Spades;
}
