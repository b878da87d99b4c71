<?php

declare(strict_types=1);

namespace Proletarier\Factory;

use Symfony\Component\Console\Command\Command;

/**
 * Makes the commands, whose class is the service's name, for laminas-cli.
 */
final class CommandFactory
{
    public function __invoke($container, $name = null, $options = null): Command
    {
        return new $name($container);
    }
}
