<?php

declare(strict_types=1);

namespace Proletarier\Tests;

/**
 * Provides the file that this process has loaded the extension from, for the processes that a test starts.
 */
final class LoadedExtension
{
    public static function file(): string
    {
        // /proc tells it, whatever the extension was named by: -d, an ini file, a symlink.
        foreach (file('/proc/self/maps') ?: [] as $line) {
            if (preg_match('~\s(/\S*proletarier\.so)$~', rtrim($line), $match) === 1) {
                return $match[1];
            }
        }

        throw new \RuntimeException('the extension is not loaded: php -d extension=$PWD/target/debug/libproletarier.so /usr/bin/phpunit --testsuite extension');
    }
}
